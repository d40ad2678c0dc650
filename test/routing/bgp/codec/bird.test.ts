/**
 * A session with a real BIRD over loopback in a namespace of its own: it reads what we encode and says so, and we
 * read what it encodes, attribute by attribute.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatAsPath } from '../../../../routing/bgp/codec/as-path.ts';
import type { Coding } from '../../../../routing/bgp/codec/attributes.ts';
import type { Capability } from '../../../../routing/bgp/codec/capability.ts';
import { formatCommunity, formatLarge } from '../../../../routing/bgp/codec/community.ts';
import {
  ceaseWith,
  decodeMessage,
  encodeMessage,
  INITIAL_CODING,
  type Message,
  messageLength,
  type Received,
} from '../../../../routing/bgp/codec/message.ts';
import { packRoutes } from '../../../../routing/bgp/codec/pack.ts';
import { endOfRib, endOfRibOf } from '../../../../routing/bgp/codec/update.ts';
import { formatAddress, parseAddress } from '../../../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../../../wire/prefix.ts';
import { enterNamespace, makeNamespace, until } from '../../../support/pod-namespace.ts';

const CONFIGURATION = (folder: string) => `
log "${folder}/bird.log" all;
router id 10.99.0.1;
protocol device { }
protocol static s4 { ipv4;
  route 10.1.0.0/24 blackhole { bgp_community.add((65001,100)); bgp_large_community.add((65001,1,2)); bgp_ext_community.add((rt,65001,7)); };
  route 10.1.1.0/24 blackhole; }
protocol static s6 { ipv6; route fd01:1::/64 blackhole; }
protocol bgp weft {
  local 127.0.0.1 as 4200000001; neighbor 127.0.0.2 as 65002; multihop 2; passive on;
  graceful restart on; long lived graceful restart on; enable extended messages on; advertise hostname off;
  ipv4 { import all; export where source = RTS_STATIC; add paths on; next hop address 127.0.0.1; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd99::1; };
}`;

const namespace = makeNamespace();
const folder = mkdtempSync(join(tmpdir(), 'weft-bird-'));
let leave: (() => void) | undefined;
let socket: Socket | undefined;
const received: Received[] = [];
let coding: Coding = INITIAL_CODING;

const bird = (...command: string[]): string =>
  execFileSync('birdc', ['-r', '-s', join(folder, 'ctl'), ...command], { encoding: 'utf8' });
const send = (message: Message): void => void socket?.write(encodeMessage(message, coding));

const connected = (): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const one = connect({ host: '127.0.0.1', port: 179, localAddress: '127.0.0.2' }, () => resolve(one));
    one.once('error', () => setTimeout(() => resolve(undefined), 20));
  });

beforeAll(async () => {
  namespace.run('ip', 'link', 'set', 'lo', 'up');
  namespace.run('ip', 'address', 'add', 'fd99::2/128', 'dev', 'lo');
  writeFileSync(join(folder, 'bird.conf'), CONFIGURATION(folder));
  namespace.run(
    'bird',
    '-c',
    join(folder, 'bird.conf'),
    '-s',
    join(folder, 'ctl'),
    '-P',
    join(folder, 'pid'),
  );
  leave = enterNamespace(namespace.path);
  // It is in the background before it listens.
  const end = Date.now() + 5000;
  while (socket === undefined) {
    expect(Date.now(), 'BIRD to listen').toBeLessThan(end);
    socket = await connected();
  }
  let stream: Uint8Array = new Uint8Array(0);
  socket.on('data', (chunk: Uint8Array) => {
    stream = Uint8Array.from([...stream, ...chunk]);
    for (;;) {
      const length = messageLength(stream, 0, coding.maxLength);
      if (!length.ok) throw new Error(length.error.why);
      if (length.value === undefined || length.value > stream.length) return;
      const decoded = decodeMessage(stream.slice(0, length.value), coding);
      if (!decoded.ok) throw new Error(decoded.error.why);
      received.push(decoded.value);
      stream = stream.slice(length.value);
      // What follows an OPEN of BIRD is coded as agreed below.
      if (decoded.value.kind === 'open') coding = AGREED;
    }
  });
});

afterAll(() => {
  socket?.destroy();
  leave?.();
  try {
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  } finally {
    namespace.delete();
    rmSync(folder, { recursive: true, force: true });
  }
});

const V4 = { afi: 1, safi: 1 };
const V6 = { afi: 2, safi: 1 };
const AGREED: Coding = { asBytes: 4, maxLength: 65535, addPath: { 4: true, 6: false }, internal: false };
const CAPABILITIES: Capability[] = [
  { kind: 'multiprotocol', ...V4 },
  { kind: 'multiprotocol', ...V6 },
  { kind: 'routeRefresh' },
  { kind: 'enhancedRouteRefresh' },
  { kind: 'extendedMessage' },
  { kind: 'fourOctetAs', asn: 65002 },
  { kind: 'addPath', families: [{ ...V4, mode: 3 }] },
];

test('BIRD and this codec understand each other', async () => {
  send({
    kind: 'open',
    open: { asn: 65002, holdTime: 90, routerId: parseAddress('10.99.0.2'), capabilities: CAPABILITIES },
  });
  await until(() => received.length >= 2, "BIRD's OPEN and KEEPALIVE");
  const [first, second] = received;
  expect(second.kind).toBe('keepalive');
  expect(first).toMatchObject({ kind: 'open', open: { asn: 4200000001 } });
  const kinds = first.kind === 'open' ? first.open.capabilities.map(({ kind }) => kind) : [];
  for (const kind of [
    'multiprotocol',
    'extendedMessage',
    'gracefulRestart',
    'addPath',
    'longLivedGracefulRestart',
  ]) {
    expect(kinds).toContain(kind);
  }
  expect(kinds).not.toContain('unknown');
  send({ kind: 'keepalive' });

  const attributes = {
    origin: 0,
    asPath: [{ type: 2, asns: [65002, 4200000009] }],
    med: 77,
    communities: [(65002 << 16) >>> 0],
    largeCommunities: [{ global: 65002, local1: 3, local2: 4 }],
    onlyToCustomer: 65002,
  } as const;
  const nlri = Array.from({ length: 20_000 }, (_, i) => ({
    prefix: parsePrefix(`20.${i >> 8}.${i & 255}.0/24`),
    pathId: 5,
  }));
  const four = packRoutes({ family: 4, attributes, nextHop: parseAddress('127.0.0.2'), nlri }, AGREED);
  const sixes = [{ prefix: parsePrefix('fd02::/48') }];
  const six = packRoutes({ family: 6, attributes, nextHop: parseAddress('fd99::2'), nlri: sixes }, AGREED);
  for (const update of [...four.updates, ...six.updates, endOfRib(4), endOfRib(6)])
    send({ kind: 'update', update });

  const updates = () => received.flatMap((one) => (one.kind === 'update' ? [one] : []));
  await until(
    () => updates().filter(({ update }) => endOfRibOf(update) !== undefined).length === 2,
    'End-of-RIB',
  );
  expect(updates().flatMap(({ errors }) => errors)).toEqual([]);
  const routes = new Map(
    updates().flatMap(({ update }) =>
      [...update.nlri, ...(update.reach?.nlri ?? [])].map(
        ({ prefix }) => [formatPrefix(prefix), update] as const,
      ),
    ),
  );
  expect([...routes.keys()].sort()).toEqual(['10.1.0.0/24', '10.1.1.0/24', 'fd01:1::/64']);
  const rich = routes.get('10.1.0.0/24');
  expect(formatAsPath(rich?.attributes.asPath ?? [])).toBe('4200000001');
  expect(rich?.attributes).toMatchObject({ origin: 0, nextHop: parseAddress('127.0.0.1') });
  expect(rich?.attributes.communities?.map(formatCommunity)).toEqual(['65001:100']);
  expect(rich?.attributes.largeCommunities?.map(formatLarge)).toEqual(['65001:1:2']);
  expect(rich?.attributes.extendedCommunities).toEqual([{ type: 0, subtype: 2, value: 65001 * 2 ** 32 + 7 }]);
  const reach = routes.get('fd01:1::/64')?.reach;
  expect(reach && formatAddress(reach.nextHop)).toBe('fd99::1');

  await until(
    () => bird('show', 'route', 'protocol', 'weft', 'count').includes('20001 of'),
    'BIRD to have all routes',
  );
  const shown = bird('show', 'route', '20.7.9.0/24', 'all');
  expect(shown).toMatch(/BGP\.as_path: 65002 4200000009/);
  expect(shown).toMatch(/BGP\.med: 77/);
  expect(shown).toMatch(/BGP\.community: \(65002,0\)/);
  expect(shown).toMatch(/BGP\.large_community: \(65002, 3, 4\)/);
  expect(bird('show', 'route', 'fd02::/48', 'all')).toMatch(/BGP\.next_hop: fd99::2/);
  expect(bird('show', 'protocols', 'weft')).toContain('Established');

  send({ kind: 'notification', notification: ceaseWith(2, 'the test is over') });
  await until(
    () => readFileSync(join(folder, 'bird.log'), 'utf8').includes('the test is over'),
    "BIRD's log",
  );
});
