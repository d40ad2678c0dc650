// What is written as MRT is read by bgpdump, and says there what the RIBs say.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Attributes } from '../../../routing/bgp/codec/attributes.ts';
import { type DumpOptions, dump } from '../../../routing/bgp/mrt/dump.ts';
import type { Rib } from '../../../routing/rib/rib.ts';
import { parseAddress } from '../../../wire/address.ts';
import { parsePrefix } from '../../../wire/prefix.ts';
import { announcing, attributesOf, CODING, newRib, path, peer, withdrawing } from '../../support/rib.ts';

const NOW = 1_800_000_000;
const folder = mkdtempSync(join(tmpdir(), 'weft-mrt-'));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (rib: Rib, more: Partial<DumpOptions> = {}): string => {
  const source = dump(rib, {
    view: 'received',
    routerId: parseAddress('1.0.0.254'),
    asn: 64512,
    now: NOW,
    since: (name) => NOW - 100 * Number(name.slice(1)),
    ...more,
  });
  const parts: Uint8Array[] = [];
  for (let part = source.fetch(); part !== undefined; part = source.fetch()) parts.push(part);
  const file = join(folder, 'rib.mrt');
  writeFileSync(file, Buffer.concat(parts));
  return file;
};

/** Lines as bgpdump prints them, and what it complains of. */
const read = (file: string): string[] =>
  execFileSync('bgpdump', ['-m', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
    .split('\n')
    .slice(0, -1);

const V6 = parseAddress('2001:db8::2');
const rich: Attributes = {
  med: 5,
  asPath: path(64601, 4200000000),
  communities: [0xfde90007],
  largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
  aggregator: { asn: 4200000001, address: parseAddress('9.9.9.9') },
  atomicAggregate: true,
};

/** Of two peers, the first of them with much to say. */
const some = () => {
  const world = newRib();
  const { rib } = world;
  for (const n of [1, 2]) rib.peerUp(peer(n), 0);
  rib.receive('p1', announcing(['10.1.0.0/16', '0.0.0.0/0'], attributesOf(1, rich)));
  rib.receive('p2', announcing(['10.1.0.0/16'], attributesOf(2)));
  rib.receive('p2', announcing(['2001:db8:5::/48', '::/0'], attributesOf(2, { nextHop: V6 })));
  // RFC 8950, and a link-local next hop beside the global one.
  const linkLocal = parseAddress('fe80::1');
  rib.receive('p2', announcing(['10.2.0.0/16'], { ...attributesOf(2, { nextHop: V6 }), linkLocal }));
  rib.receive('p2', announcing(['2001:db8:6::/48'], { ...attributesOf(2, { nextHop: V6 }), linkLocal }));
  rib.originate(parsePrefix('10.244.0.0/24'), {
    origin: 0,
    asPath: [],
    nextHop: parseAddress('0.0.0.0'),
  });
  return world;
};

const of1 = (prefix: string) =>
  `TABLE_DUMP2|${NOW}|B|10.0.1.1|64601|${prefix}|64601 4200000000|IGP|10.0.1.1|0|5|65001:7|AG|4200000001 9.9.9.9|`;
const of2 = (prefix: string, nextHop = '2001:db8::2') =>
  `TABLE_DUMP2|${NOW}|B|10.0.2.1|64602|${prefix}|64602|IGP|${nextHop}|0|0||NAG||`;
const OWN = `TABLE_DUMP2|${NOW}|B|0.0.0.0|64512|10.244.0.0/24||IGP|0.0.0.0|0|0||NAG||`;
const OTHERS = ['::/0', '2001:db8:5::/48', '2001:db8:6::/48'].map((prefix) => of2(prefix));

it('what each peer told, prefix by prefix', () => {
  const { rib } = some();
  const lines = read(write(rib));
  expect(lines.slice(3, 4)[0]).toMatch(
    /^TABLE_DUMP2\|1800000000\|B\|10\.0\.2\.1\|64602\|10\.2\.0\.0\/16\|64602\|IGP\|/,
  );
  lines.splice(3, 1);
  expect(lines).toEqual([of1('0.0.0.0/0'), of2('10.1.0.0/16', '10.0.2.1'), of1('10.1.0.0/16'), ...OTHERS]);
  expect(read(write(rib, { peer: 'p1' }))).toEqual([of1('0.0.0.0/0'), of1('10.1.0.0/16')]);
});

it('what is best, with what is announced here', () => {
  const { rib } = some();
  const lines = read(write(rib, { view: 'local' }));
  expect(lines.filter((line) => !line.includes('10.2.0.0'))).toEqual([
    of1('0.0.0.0/0'),
    of2('10.1.0.0/16', '10.0.2.1'),
    OWN,
    ...OTHERS,
  ]);
});

it('what policy let pass, as it made it', () => {
  const { rib } = some();
  const accept = {
    terms: [
      {
        match: { prefixes: [{ prefix: parsePrefix('10.1.0.0/16') }] },
        set: { localPref: 333 },
        action: 'accept',
      },
    ],
    otherwise: 'reject',
  } as const;
  rib.setPolicies('p1', { import: accept });
  expect(read(write(rib, { view: 'accepted', peer: 'p1' }))).toEqual([
    of1('10.1.0.0/16').replace('|0|5|', '|333|5|'),
  ]);
  expect(read(write(rib, { view: 'received', peer: 'p1' }))).toHaveLength(2);
});

it('path identifiers where there are any (RFC 8050)', () => {
  const { rib } = some();
  rib.peerUp(peer(3, { coding: { ...CODING, addPath: { 4: true, 6: true } } }), 0);
  rib.receive('p3', announcing(['10.1.0.0/16'], attributesOf(3), 7));
  rib.receive('p3', announcing(['10.1.0.0/16'], attributesOf(3, { med: 9 }), 8));
  rib.receive('p3', announcing(['2001:db8:7::/48'], attributesOf(3, { nextHop: V6 }), 0xffffffff));
  const lines = read(write(rib));
  const head = (n: number) => `TABLE_DUMP2_AP|${NOW}|B|10.0.${n}.1|${64600 + n}|10.1.0.0/16`;
  expect(lines.filter((line) => line.startsWith('TABLE_DUMP2_AP'))).toEqual([
    `${head(3)}|8|64603|IGP|10.0.3.1|0|9||NAG||`,
    `${head(3)}|7|64603|IGP|10.0.3.1|0|0||NAG||`,
    `${head(2)}|0|64602|IGP|10.0.2.1|0|0||NAG||`,
    `${head(1)}|0|64601 4200000000|IGP|10.0.1.1|0|5|65001:7|AG|4200000001 9.9.9.9|`,
    `TABLE_DUMP2_AP|${NOW}|B|10.0.3.1|64603|2001:db8:7::/48|4294967295|64603|IGP|2001:db8::2|0|0||NAG||`,
  ]);
});

it('attributes and times as they are', () => {
  const { rib } = some();
  const text = execFileSync('bgpdump', [write(rib, { peer: 'p1' })], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TZ: 'UTC' },
  });
  expect(text).toMatch(
    /TYPE: TABLE_DUMP_V2\/IPV4_UNICAST\nPREFIX: 0\.0\.0\.0\/0\nSEQUENCE: 0\nFROM: 10\.0\.1\.1 AS64601\n/,
  );
  expect(text).toContain('ORIGINATED: 01/15/27 07:58:20\n');
  expect(text).toContain('ATOMIC_AGGREGATE\n');
  expect(text).toContain('LARGE_COMMUNITY: 1:2:3\n');
  expect(text).toMatch(/PREFIX: 10\.1\.0\.0\/16\nSEQUENCE: 1\n/);
});

it('a hundred thousand routes, in pieces, while they change', () => {
  const { rib } = newRib();
  rib.peerUp(peer(1), 0);
  const prefixes = Array.from(
    { length: 100_000 },
    (_, n) => `10.${n >> 9}.${(n >> 1) & 255}.${(n & 1) * 128}/25`,
  );
  for (let at = 0; at < prefixes.length; at += 500) {
    rib.receive('p1', announcing(prefixes.slice(at, at + 500), attributesOf(1, { med: at })));
  }
  const source = dump(rib, {
    view: 'received',
    routerId: parseAddress('1.0.0.254'),
    asn: 64512,
    now: NOW,
    since: () => NOW,
  });
  const parts: Uint8Array[] = [];
  for (let part = source.fetch(); part !== undefined; part = source.fetch()) {
    parts.push(part);
    expect(part.length).toBeLessThan(512 << 10);
    if (parts.length === 2) {
      // Not in the table of peers any more; and some of what comes is gone meanwhile.
      rib.peerUp(peer(2), 1);
      rib.receive('p2', announcing(prefixes.slice(-5), attributesOf(2)));
      rib.receive('p1', withdrawing(prefixes.slice(-1000)));
    }
  }
  expect(parts.length).toBeGreaterThan(10);
  const file = join(folder, 'many.mrt');
  writeFileSync(file, Buffer.concat(parts));
  const lines = read(file);
  expect(lines).toHaveLength(99_000);
  expect(lines.at(-1)).toContain('|10.0.1.1|64601|');
  expect(new Set(lines.map((line) => line.split('|')[5])).size).toBe(99_000);
});

it('a route whose attributes are too long for an entry is left out, and what is beside it is there', () => {
  const { rib } = newRib();
  rib.peerUp(peer(1), 0);
  rib.peerUp(peer(2), 0);
  // As a speaker of two octets could tell it in one message.
  const asns = Array.from({ length: 16_400 }, (_, i) => (i === 0 ? 64601 : 7));
  rib.receive(
    'p1',
    announcing(['10.1.0.0/16', '10.2.0.0/16'], attributesOf(1, { asPath: [{ type: 2, asns }] })),
  );
  rib.receive('p2', announcing(['10.1.0.0/16'], attributesOf(2)));
  expect(read(write(rib))).toEqual([of2('10.1.0.0/16', '10.0.2.1')]);
});
