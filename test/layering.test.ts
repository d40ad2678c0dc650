// Who may import whom, as ARCHITECTURE.md says: read from the sources, so that a convenient import cannot bend it unseen.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const LAYERS = ['wire', 'encap', 'engine', 'routing', 'cni', 'control', 'sys', 'lab', 'bench', 'test'];

interface Import {
  /** Both relative to the root. */
  readonly from: string;
  readonly to: string;
}

/** What may import what: the first rule whose `from` a file begins with is its own. */
const RULES: readonly { readonly from: string; readonly may: readonly string[] }[] = [
  { from: 'wire/', may: [] },
  { from: 'sys/', may: [] },
  { from: 'encap/', may: ['wire/'] },
  { from: 'engine/tables/', may: ['wire/'] },
  { from: 'engine/device/', may: ['wire/', 'encap/', 'sys/', 'engine/'] },
  // The control side's handle and the worker's entry: where the engine meets Linux through engine/device.
  { from: 'engine/', may: ['wire/', 'encap/', 'engine/'] },
  { from: 'routing/bgp/codec/', may: ['wire/'] },
  { from: 'routing/policy/', may: ['wire/', 'routing/bgp/codec/'] },
  { from: 'routing/rib/', may: ['wire/', 'routing/bgp/codec/', 'routing/policy/'] },
  { from: 'routing/bfd/', may: ['wire/', 'sys/'] },
  { from: 'routing/bgp/', may: ['wire/', 'sys/', 'routing/'] },
  { from: 'routing/', may: ['wire/', 'routing/', 'engine/paths.ts'] },
  { from: 'cni/', may: ['wire/', 'sys/'] },
  { from: 'control/', may: ['wire/', 'sys/', 'encap/', 'engine/', 'routing/', 'cni/'] },
  { from: 'lab/', may: ['wire/', 'sys/', 'encap/', 'engine/', 'routing/', 'cni/', 'control/'] },
  { from: 'bench/', may: ['wire/', 'sys/', 'encap/', 'engine/', 'routing/', 'cni/', 'control/', 'lab/'] },
  { from: 'test/', may: [...LAYERS.map((layer) => `${layer}/`)] },
];

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'";]*?['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]|new URL\(\s*['"](\.[^'"]+\.[jt]s)['"]/g;

const sources = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name));

function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(IMPORT)].map(([, declared, dynamic, url]) => {
    const target = declared ?? dynamic ?? (url as string).replace(/\.js$/, '.ts');
    return { from: file, to: relative(ROOT, resolve(ROOT, dirname(file), target)) };
  });
}

const isForbidden = ({ from, to }: Import): boolean => {
  if (!to.endsWith('.ts')) return false;
  const rule = RULES.find((candidate) => from.startsWith(candidate.from));
  if (!rule) return true;
  return !to.startsWith(rule.from) && !rule.may.some((folder) => to.startsWith(folder));
};

const all = LAYERS.flatMap(sources).flatMap((file) =>
  importsOf(file, readFileSync(join(ROOT, file), 'utf8')),
);

test('every layer imports what it may, and nothing else', () => {
  expect(all.length).toBeGreaterThan(500);
  for (const layer of LAYERS.filter((name) => name !== 'wire' && name !== 'sys')) {
    expect(all.some(({ from }) => from.startsWith(`${layer}/`))).toBe(true);
  }
  expect(all.filter(isForbidden)).toEqual([]);
});

test.each([
  ['wire/ipv4.ts', "import { libc } from '../sys/libc.ts';"],
  ['engine/parse.ts', "import { openTunQueue } from '../sys/tun.ts';"],
  ['engine/tables/fib4.ts', "export * from '../forwarder.ts';"],
  ['sys/tun.ts', "import type { Address } from '../wire/address.ts';"],
  ['cni/attachments.ts', "import {\n  Engine,\n} from '../engine/engine.ts';"],
  ['control/node.ts', "const { Run } = await import('../lab/run.ts');"],
  ['lab/run.ts', "import { tcp } from '../bench/fabric/work.ts';"],
  ['bench/cli.ts', "import { WeftProcess } from '../test/support/weft.ts';"],
])('an import of %s that may not be is found', (file, text) => {
  expect(importsOf(file, text).filter(isForbidden)).toHaveLength(1);
});

test('no file imports a package of node or npm in wire', () => {
  const foreign = sources('wire').filter((file) =>
    /from '(?!\.)/.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(foreign).toEqual([]);
});
