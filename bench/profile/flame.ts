/**
 * A flame graph as one SVG without script: wide is what takes much time, above is who is called, the colour says whose code
 * it is. The tooltip of each box has its whole name and share. Readable on light and on dark ground.
 */
import { Mark, type Stacks, total } from './stacks.ts';

interface Frame {
  readonly children: Map<string, Frame>;
  count: number;
}

const WIDTH = 1600;
const ROW = 17;
const TOP = 54;
const MARGIN = 10;
const CHARACTER = 6.6;
/** Narrower boxes are left out. */
const LEAST_WIDTH = 0.4;
const INK = '#1f2328';
/** Of boxes, which are light on either ground. */
const FILL = { kernel: '#f4a988', script: '#8fbcf0', native: '#d3d7dc' } as const;

export function flameGraph(title: string, stacks: Stacks): string {
  const root = treeOf(stacks);
  const boxes: string[] = [];
  const all = Math.max(1, total(stacks));
  const scale = (WIDTH - 2 * MARGIN) / all;
  let depth = 0;
  const place = (frame: Frame, name: string, first: number, level: number): void => {
    const width = frame.count * scale;
    if (level > 0 && width < LEAST_WIDTH) return;
    depth = Math.max(depth, level + 1);
    boxes.push(box(name, MARGIN + first * scale, level, width, (100 * frame.count) / all));
    let next = first;
    for (const [child, inner] of [...frame.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      place(inner, child, next, level + 1);
      next += inner.count;
    }
  };
  place(root, `all, ${total(stacks)} samples`, 0, 0);
  const height = TOP + depth * ROW + MARGIN;
  // The outermost is at the bottom, as readers of flame graphs expect it.
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escaped(title)}" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="11">`,
    `<style>.ground{fill:${INK}}@media (prefers-color-scheme:dark){.ground{fill:#f0f6fc}}</style>`,
    `<text class="ground" x="${MARGIN}" y="22" font-size="15">${escaped(title)}</text>`,
    ...legend(),
    `<g transform="translate(0 ${height - MARGIN})">`,
    ...boxes,
    '</g>',
    '</svg>\n',
  ].join('\n');
}

function treeOf(stacks: Stacks): Frame {
  const root: Frame = { children: new Map(), count: 0 };
  for (const [stack, count] of stacks) {
    root.count += count;
    let at = root;
    for (const name of stack.split(';')) {
      const inner = at.children.get(name) ?? { children: new Map(), count: 0 };
      at.children.set(name, inner);
      inner.count += count;
      at = inner;
    }
  }
  return root;
}

function box(name: string, x: number, level: number, width: number, percent: number): string {
  const y = -(level + 1) * ROW;
  const shown = name.replace(/_\[[kj]\]$/, '');
  const most = Math.floor((width - 6) / CHARACTER);
  const text = most < 3 ? '' : shown.length <= most ? shown : `${shown.slice(0, most - 1)}…`;
  const label =
    text === '' ? '' : `<text x="${fixed(x + 3)}" y="${y + 12}" fill="${INK}">${escaped(text)}</text>`;
  const tip = `<title>${escaped(shown)}: ${percent.toFixed(2)} %</title>`;
  return `<g>${tip}<rect x="${fixed(x)}" y="${y}" width="${fixed(Math.max(LEAST_WIDTH, width - 0.5))}" height="${ROW - 1}" rx="1" fill="${FILL[ownerOf(name)]}"/>${label}</g>`;
}

const ownerOf = (name: string): keyof typeof FILL =>
  name.endsWith(Mark.kernel) ? 'kernel' : name.endsWith(Mark.script) ? 'script' : 'native';

const legend = (): string[] =>
  (['kernel', 'script', 'native'] as const).map((owner, n) => {
    const name = { kernel: 'kernel', script: 'JavaScript', native: 'Node and libraries' }[owner];
    const x = MARGIN + n * 130;
    return `<rect x="${x}" y="33" width="11" height="11" fill="${FILL[owner]}"/><text class="ground" x="${x + 17}" y="43">${name}</text>`;
  });

const fixed = (value: number): string => String(Number(value.toFixed(2)));

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
