/** A lab as text: what is outside, the underlay, and a box a node. At most 96 columns for three nodes. */
import type { Lab, LabNode } from './description.ts';

const MARGIN = 2;
const GAP = 3;
/** Between the edges of a box. */
const INNER = 27;
const NAME = 10;
const STEM = Math.floor(INNER / 2) + 1;
const OUTSIDE_STEM = 4;

export function picture(lab: Lab): string {
  const boxes = lab.nodes.map(boxOf);
  const rows = boxes[0].map((_, row) => boxes.map((box) => box[row]).join(' '.repeat(GAP)));
  return [...outsideOf(lab), barOf(lab), ...rows]
    .map((row) => (' '.repeat(MARGIN) + row).trimEnd())
    .join('\n');
}

function outsideOf({ outside: { name, v4, v6, underlay } }: Lab): string[] {
  const stem = '│'.padStart(OUTSIDE_STEM + 1).padEnd(NAME);
  return [
    `${name.padEnd(NAME)}${v4}, ${v6}: knows no way to a pod, sees nodes only`,
    `${stem}${underlay.v4}, ${underlay.v6}: the router of the nodes`,
  ];
}

function barOf({ nodes, underlay: { v4, vni, mtu } }: Lab): string {
  const stems = nodes.map((_, i) => i * (INNER + 2 + GAP) + STEM);
  const bar = Array<string>(nodes.length * (INNER + 2 + GAP) - GAP).fill('═');
  for (const stem of stems) bar[stem] = '╤';
  bar[OUTSIDE_STEM] = '╧';
  const labels = [`underlay ${v4}`, `VXLAN ${vni}, MTU ${mtu}`];
  for (const [i, label] of labels.entries()) {
    const middle = (stems[i] + stems[i + 1]) / 2;
    const text = ` ${label} `;
    bar.splice(Math.ceil(middle - text.length / 2), text.length, ...text);
  }
  return bar.join('');
}

function boxOf({ name, kind, underlay, host, pods }: LabNode): string[] {
  const edge = '─'.repeat(INNER);
  const line = (left: string, right: string): string =>
    `│ ${`${left.padEnd(NAME)}${right}`.padEnd(INNER - 1)}│`;
  return [
    `┌${edge.slice(STEM)}┴${edge.slice(INNER - STEM + 1)}┐`,
    line(name, kind === 'weft' ? 'Weft' : 'kernel VXLAN'),
    line('underlay', underlay.v4),
    line(host.interface, host.v4),
    line('', host.v6),
    `├${edge}┤`,
    ...pods.flatMap((pod) => [line(pod.name, pod.v4), line('', pod.v6)]),
    `└${edge}┘`,
  ];
}
