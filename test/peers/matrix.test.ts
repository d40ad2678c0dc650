// docs/bgp-peers.md says what is tried with which peer: as the columns and cells of this folder do, no more and no less.
// Written anew with WEFT_WRITE_DOCS=1.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CELLS, type Feature } from './cells.ts';
import { PEERS, type Peer } from './columns.ts';

const FILE = fileURLToPath(new URL('../../docs/bgp-peers.md', import.meta.url));
const peers: readonly Peer[] = Object.values(PEERS);

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** A table with its columns aligned, as the formatter has it. */
const table = (rows: readonly (readonly string[])[]): string => {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => cells[i].length)));
  const padded = rows.map((cells) => row(cells.map((cell, i) => cell.padEnd(widths[i]))));
  return [padded[0], row(widths.map((width) => '-'.repeat(width))), ...padded.slice(1)].join('\n');
};

const text = (): string => {
  const features = Object.entries(CELLS) as [Feature, { readonly title: string }][];
  const cells = features.map(([feature, { title }]) => [
    title,
    ...peers.map(({ lacks }) => (lacks[feature] === undefined ? 'tested' : 'peer lacks it')),
  ]);
  const reasons = peers.flatMap(({ name, lacks }) =>
    features.flatMap(([feature, { title }]) =>
      lacks[feature] === undefined ? [] : [[name, title, lacks[feature]]],
    ),
  );
  return `# BGP peers

What Weft's speaker is tried with, in every run of the tests: daemons of Debian's packages, each in a namespace of its own, with
what Weft has sent read by tshark. Each cell looks at both ends. The tests are in [test/peers](../test/peers); this page is written
by \`WEFT_WRITE_DOCS=1 npx vitest run test/peers/matrix.test.ts\`, and a test fails when it is not what they do.

${table([['', ...peers.map(({ name }) => name)], ...cells])}

Packages: ${peers.map((peer) => `${peer.name} \`${peer.package}\``).join(', ')}. What they lack, as they are in Debian 12:

${table([['peer', 'feature', 'because'], ...reasons])}

How fast BFD is, and failover while pods talk, is in [test/netns](../test/netns) (\`bfd\`, \`bgp-failover\`); routes that reach the node's FIB and the
kernel in \`bgp-tor\`, restarts of the node in \`bgp-restart\`.
`;
};

it('the matrix of peers is what the tests do', () => {
  if (process.env.WEFT_WRITE_DOCS !== undefined) writeFileSync(FILE, text());
  expect(readFileSync(FILE, 'utf8')).toBe(text());
});
