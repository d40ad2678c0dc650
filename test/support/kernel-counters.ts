/** What the kernel of a namespace has counted, by the names of nstat. */
import type { Namespace } from '../../lab/namespace.ts';

/** Absolute values, zeros included. */
export function kernelCounter(namespace: Namespace, name: string): number {
  const { kernel } = JSON.parse(namespace.run('nstat', '-asz', '--json', name)) as {
    kernel: Record<string, number>;
  };
  if (kernel[name] === undefined) throw new Error(`nstat knows no counter ${name}`);
  return kernel[name];
}
