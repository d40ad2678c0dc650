/** `weft lab status` and what `weft lab up` says: the labs that stand, in words. */
import { durationText, table } from '../control/text.ts';
import { type Lab, podsOf } from './description.ts';
import type { LabHealth } from './health.ts';
import { nameOption } from './labs.ts';

export function labText(lab: LabHealth): string {
  const age = durationText(Math.max(0, (Date.now() - Date.parse(lab.built)) / 1000));
  const nodes = table(
    ['node', 'runs', 'underlay', 'in the fabric', '', 'health', ''],
    lab.nodes.map(({ name, kind, underlay, host, health }) => [
      name,
      kind === 'weft' ? 'Weft' : 'kernel VXLAN',
      underlay.v4,
      host.v4,
      host.v6,
      health.ok ? 'ok' : 'BROKEN',
      health.detail,
    ]),
  );
  const pods = table(
    ['pod', 'node', 'addresses', ''],
    podsOf(lab).map(({ name, node, v4, v6 }) => [name, node, v4, v6]),
  );
  return `lab '${lab.name}', built ${age} ago\n\n${nodes}\n\n${pods}`;
}

export const labsText = (labs: readonly LabHealth[]): string =>
  labs.length === 0 ? 'no lab stands; build one with: weft lab up' : labs.map(labText).join('\n\n');

/** What can be done with a lab that has just been built. */
export function usageText({ name, nodes, outside }: Lab): string {
  const option = nameOption(name);
  const [a, b] = nodes;
  const uses: [command: string, what: string][] = [
    [`weft lab exec${option} ${a.pods[0].name} -- ping ${b.pods[0].v4}`, 'from pod to pod'],
    [`weft lab exec${option} ${a.pods[0].name} -- ping ${outside.v4}`, 'to the outside'],
    [`weft lab exec${option} ${a.name} -- weft status`, 'ask a node ($WEFT_SOCKET is set)'],
    [`weft lab exec${option} ${a.pods[0].name} -- bash`, 'be a pod'],
    [`weft lab status${option}`, 'how it does'],
    [`weft lab down${option}`, 'take it away'],
  ];
  const width = Math.max(...uses.map(([command]) => command.length));
  return uses.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`).join('\n');
}
