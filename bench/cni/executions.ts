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

/**
 * Starts processes at a third of what it costs Node, as runtimes do, which do not copy themselves for it: otherwise that would
 * be most of what is measured.
 */
const ONE_BY_ONE = `
for pod; do
  began=$EPOCHREALTIME
  CNI_CONTAINERID=\${pod##*/} CNI_NETNS=$pod "$PLUGIN" <"$CONFIGURATION" >"$ANSWER" || { cat "$ANSWER" >&2; exit 1; }
  ended=$EPOCHREALTIME
  echo $((\${ended/[.,]/} - \${began/[.,]/}))
done
`;

/** @returns milliseconds from the start of the plugin to its end, of each pod */
export function execute(
  node: Namespace,
  contestant: Contestant,
  verb: string,
  pods: readonly Namespace[],
  folder: string,
): number[] {
  const microseconds = runScript(['bash', ONE_BY_ONE], node, contestant, verb, pods, folder);
  return microseconds
    .trim()
    .split('\n')
    .map((line) => Number(line) / 1000);
}

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
  contestant: Contestant,
  verb: string,
  pods: readonly Namespace[],
  folder: string,
): number {
  const began = performance.now();
  runScript(['sh', AT_ONCE], node, contestant, verb, pods, folder);
  return performance.now() - began;
}

function runScript(
  [shell, script]: readonly [string, string],
  node: Namespace,
  { plugin, config }: Contestant,
  verb: string,
  pods: readonly Namespace[],
  folder: string,
): string {
  const file = join(folder, 'configuration.json');
  writeFileSync(file, JSON.stringify(config));
  return inNamespace(node.path, () => {
    const { status, stdout, stderr } = spawnSync(
      shell,
      ['-c', script, shell, ...pods.map(({ path }) => path)],
      {
        env: {
          ...environment(plugin, verb),
          PLUGIN: plugin,
          CONFIGURATION: file,
          ANSWER: join(folder, 'answer.json'),
        },
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(`${plugin} ${verb}: ${stdout}${stderr}`);
    return stdout;
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
