/** Executions of a CNI plugin as a runtime does them, timed. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from '../../lab/namespace.ts';
import { inNamespace } from '../../sys/netns.ts';

/** A plugin and what it is told. */
export interface Contestant {
  readonly plugin: string;
  readonly config: object;
}

/** @returns milliseconds from the start of the plugin to its end */
export function execute(
  node: Namespace,
  { plugin, config }: Contestant,
  verb: string,
  pod: Namespace,
): number {
  return inNamespace(node.path, () => {
    const began = performance.now();
    const { status, stdout, stderr } = spawnSync(plugin, {
      env: { ...environment(plugin, verb), CNI_CONTAINERID: pod.name, CNI_NETNS: pod.path },
      input: JSON.stringify(config),
      encoding: 'utf8',
    });
    const milliseconds = performance.now() - began;
    if (status !== 0) throw new Error(`${plugin} ${verb}: ${stdout}${stderr}`);
    return milliseconds;
  });
}

/** The smallest that starts processes: a program of this size in its place would be most of what is measured. */
const AT_ONCE = `
for pod; do
  CNI_CONTAINERID=\${pod##*/} CNI_NETNS=$pod "$PLUGIN" <"$CONFIGURATION" & started="$started $!"
done
for one in $started; do wait "$one" || failed=1; done
exit \${failed:-0}
`;

/** @returns milliseconds from the start of the first to the end of the last */
export function executeAtOnce(
  node: Namespace,
  { plugin, config }: Contestant,
  verb: string,
  pods: readonly Namespace[],
  folder: string,
): number {
  const file = join(folder, 'at-once.json');
  writeFileSync(file, JSON.stringify(config));
  return inNamespace(node.path, () => {
    const began = performance.now();
    const { status, stdout, stderr } = spawnSync(
      'sh',
      ['-c', AT_ONCE, 'sh', ...pods.map(({ path }) => path)],
      {
        env: { ...environment(plugin, verb), PLUGIN: plugin, CONFIGURATION: file },
        encoding: 'utf8',
      },
    );
    const milliseconds = performance.now() - began;
    if (status !== 0) throw new Error(`${plugin} ${verb}: ${stdout}${stderr}`);
    return milliseconds;
  });
}

/** The reference plugins find host-local beside themselves. */
function environment(plugin: string, verb: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    CNI_COMMAND: verb,
    CNI_IFNAME: 'eth0',
    CNI_PATH: join(plugin, '..'),
  };
}
