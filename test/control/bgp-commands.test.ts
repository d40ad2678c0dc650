// `weft bgp` as users run it, against an API whose node has a speaker that is not one.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, openApi } from '../../control/api.ts';
import { WeftError } from '../../control/errors.ts';
import type { BgpPeer, BgpRoute, BgpRoutesQuery, BgpWhy, NodeService, Route } from '../../control/service.ts';
import { formatPrefix } from '../../wire/prefix.ts';
import { Network } from '../support/bgp-network.ts';
import { recordingLog } from '../support/log.ts';
import { weft } from '../support/weft.ts';

const NONE = { open: 0, update: 0, notification: 0, keepalive: 0, routeRefresh: 0 };
const peer: BgpPeer = {
  name: 'tor1',
  address: '192.168.77.254',
  asn: 64500,
  state: 'established',
  uptimeSeconds: 3723,
  received: 12,
  accepted: 11,
  advertised: 2,
  lastError: 'the peer: Cease, Administrative Shutdown "maintenance"',
  lastErrorAt: '2026-01-01T00:00:00.000Z',
  interface: null,
  dynamic: false,
  routerId: '192.168.77.254',
  localAddress: '192.168.77.1',
  agreed: null,
  messages: { received: NONE, sent: NONE },
  bytes: { received: 0, sent: 0 },
  malformedUpdates: 0,
  sessions: 2,
  notes: ['nothing is accepted without a policy: give import, or set bgp.requirePolicy: false'],
  bfd: { state: 'up', detectionMs: 300, intervalMs: 100, losses: 1, lastLoss: 'nothing was heard' },
};
const route = (prefix: string, more: Partial<BgpRoute> = {}): BgpRoute => ({
  prefix,
  peer: 'tor1',
  best: true,
  nextHop: '192.168.77.254',
  asPath: '64500 64501',
  origin: 'igp',
  localPref: 100,
  communities: ['64500:7', 'no-export'],
  tunnels: [{ type: 'vxlan', endpoint: '192.168.77.2', vni: 4096 }],
  ...more,
});

/** A session that comes up, and is ended. */
function* recorded(): Generator<Uint8Array> {
  const network = new Network();
  const ours = network.speaker('10.0.0.1', 65001).peer('10.0.0.2', 65002);
  network.speaker('10.0.0.2', 65002).peer('10.0.0.1', 65001);
  const recording = ours.record({ seconds: 60, bytes: 1 << 20 });
  network.run(40);
  ours.dispose();
  for (let part = recording.fetch(); part !== undefined; part = recording.fetch()) yield part;
}

const folder = mkdtempSync(join(tmpdir(), 'weft-bgp-commands-'));
const socket = join(folder, 'weft.sock');
const asked: unknown[] = [];
let differences: string[] = [];
let api: Api;

beforeAll(async () => {
  const known = (name: string | undefined) => {
    if (name !== undefined && name !== 'tor1')
      throw new WeftError('not-found', `there is no BGP peer '${name}'; there are: tor1`);
  };
  const service: Partial<NodeService> = {
    bgp: async () => [peer],
    async *bgpRoutes(query: BgpRoutesQuery) {
      asked.push(query);
      known(query.peer);
      if (query.peer === undefined && query.rib === 'out') return;
      yield [route('10.1.0.0/16')];
      yield [];
      yield [route('10.2.0.0/16', { rejected: 'own AS in the path', staleness: 'stale' })];
    },
    bgpWhy: async (prefix): Promise<BgpWhy> => ({
      prefix: formatPrefix(prefix),
      routes: [
        { peer: 'tor1', outcome: 'best', reason: 'best of all', before: route('') },
        { peer: null, outcome: 'lost', reason: 'shorter AS_PATH', before: route(''), after: route('') },
      ],
      problems: ['10.9.9.9: no route to 10.9.9.9'],
    }),
    async *bgpRecord(request) {
      known(request.peer);
      asked.push(request);
      yield* recorded();
      if (request.messages === 13) throw new Error('the thread is gone');
    },
    async *bgpDump(request) {
      known(request.peer);
      asked.push(request);
      yield new Uint8Array([1, 2]);
      yield new Uint8Array(0);
      yield new Uint8Array([3]);
    },
    bgpClear: async (request) => {
      known(request.peer);
      asked.push(request);
    },
    bgpShutdown: async (request) => void asked.push(request),
    bgpEnable: async (request) => void asked.push(request),
    async *routes(): AsyncGenerator<readonly Route[]> {
      yield [
        {
          prefix: '10.3.0.0/16',
          source: 'bgp',
          nextHops: [],
          best: false,
          problems: ['10.9.9.9: no route to 10.9.9.9'],
        },
        {
          prefix: '10.4.0.0/16',
          source: 'bgp',
          nextHops: [{ via: '192.168.77.2', encap: 'direct', mtu: 1500, weight: 3 }],
          best: true,
        },
      ];
    },
    routesCheck: async () => differences,
  };
  const listen = (server: Server) =>
    new Promise<void>((resolve) => {
      server.listen(socket, resolve);
    });
  api = await openApi(service as NodeService, listen, recordingLog());
});
afterAll(async () => {
  await api?.close();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => weft(args, { env: { WEFT_SOCKET: socket } });
async function json(...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await run(...args, '--json');
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}
const lines = async (...args: string[]) => {
  const { status, stdout, stderr } = await run(...args);
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n');
};

it('lists the peers, and what keeps routes from them', async () => {
  expect(await json('bgp')).toEqual([peer]);
  const [header, row, , note] = await lines('bgp');
  expect(header.split(/\s{2,}/)).toEqual([
    'NAME',
    'ADDRESS',
    'AS',
    'STATE',
    'FOR',
    'BFD',
    'RECEIVED',
    'ACCEPTED',
    'ADVERTISED',
    'LAST ERROR',
  ]);
  expect(row).toMatch(
    /^tor1 {2}192\.168\.77\.254 +64500 +established +1h 2m +up +12 +11 +2 +the peer: Cease/,
  );
  expect(note).toBe(`tor1: ${peer.notes[0]}`);
});

it('lists routes: all, of a peer, in, out, before policy, inside a prefix', async () => {
  asked.length = 0;
  expect(await json('bgp', 'routes')).toEqual([
    route('10.1.0.0/16'),
    route('10.2.0.0/16', { rejected: 'own AS in the path', staleness: 'stale' }),
  ]);
  expect(await json('bgp', 'routes', '--out')).toEqual([]);
  const [, first, second] = await lines('bgp', 'routes', '--peer', 'tor1', '--before-policy');
  expect(first.split(/\s{2,}/)).toEqual([
    '10.1.0.0/16',
    'tor1',
    '192.168.77.254',
    '100',
    '64500 64501',
    'vxlan 192.168.77.2',
    '64500:7 no-export',
  ]);
  expect(second).toMatch(/rejected: own AS in the path; stale$/);
  await json('bgp', 'routes', '--peer', 'tor1', '--out', '--prefix', '10.0.0.0/8');
  expect(asked).toMatchObject([
    { rib: 'local', beforePolicy: false },
    { rib: 'out' },
    { rib: 'in', peer: 'tor1', beforePolicy: true },
    { rib: 'out', peer: 'tor1', prefix: { length: 8 } },
  ]);
});

it('tells why a route is best', async () => {
  expect(await json('bgp', 'why', '10.1.0.0/16')).toMatchObject({
    routes: [{ outcome: 'best' }, { outcome: 'lost' }],
  });
  const text = await lines('bgp', 'why', '10.1.0.0/16');
  expect(text[2]).toMatch(/^this node {2}lost {2}shorter AS_PATH/);
  expect(text.at(-1)).toBe('not in use: 10.9.9.9: no route to 10.9.9.9');
});

it('acts upon sessions', async () => {
  asked.length = 0;
  for (const args of [
    ['clear', 'tor1'],
    ['refresh', 'tor1'],
    ['refresh', 'tor1', '--out'],
    ['shutdown', 'tor1', '--message', 'moved'],
    ['shutdown', 'tor1'],
    ['enable', 'tor1'],
  ]) {
    expect(await run('bgp', ...args)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  }
  expect(asked).toEqual([
    { peer: 'tor1', how: 'hard' },
    { peer: 'tor1', how: 'in' },
    { peer: 'tor1', how: 'out' },
    { peer: 'tor1', how: 'out' },
    { peer: 'tor1', text: 'moved' },
    { peer: 'tor1', text: '' },
    { peer: 'tor1' },
  ]);
});

it('records a session, and runs it again', async () => {
  asked.length = 0;
  const file = join(folder, 'tor1.session');
  const quiet = { status: 0, stdout: '', stderr: '' };
  expect(await run('bgp', 'record', 'tor1', '--output', file)).toMatchObject(quiet);
  expect(
    await run('bgp', 'record', 'tor1', '--output', file, '--seconds', '5', '--messages', '9'),
  ).toMatchObject(quiet);
  expect(asked).toEqual([
    { peer: 'tor1', seconds: 60, messages: undefined },
    { peer: 'tor1', seconds: 5, messages: 9 },
  ]);
  const [first, ...more] = await lines('bgp', 'replay', file);
  expect(first).toMatch(
    /^identical: the session with 10\.0\.0\.2, recorded .*: \d+ inputs, \d+ calls in \d+s; it ended: /,
  );
  expect(more).toEqual([]);
  expect(await json('bgp', 'replay', file)).toMatchObject({
    peer: '10.0.0.2',
    difference: null,
    intact: true,
  });

  // The hold time that the peer offers, in its OPEN.
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(/("kind":"data".*?0104fdea)005a/, '$10059');
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
  const { status, stdout } = await run('bgp', 'replay', file);
  expect(status).toBe(1);
  expect(stdout).toMatch(
    /^different: .*\nline \d+, recorded: \[.*\n +replayed: \[.*\n.*its digest does not fit\n$/,
  );

  writeFileSync(file, text.replace(/"at":"2/, '"at":"3'));
  expect(await run('bgp', 'replay', file)).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^changed: /),
  });
  writeFileSync(file, text.split('\n').slice(0, -2).join('\n').concat('\n'));
  expect(await run('bgp', 'replay', file)).toMatchObject({ status: 1 });
});

it('dumps what the speaker makes of its RIBs into a file', async () => {
  asked.length = 0;
  const file = join(folder, 'rib.mrt');
  for (const args of [[], ['--peer', 'tor1', '--after-policy'], ['--local']]) {
    rmSync(file, { force: true });
    expect(await run('bgp', 'dump', '--output', file, ...args)).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect([...readFileSync(file)]).toEqual([1, 2, 3]);
  }
  expect(asked).toEqual([
    { rib: 'received', peer: undefined },
    { rib: 'accepted', peer: 'tor1' },
    { rib: 'local', peer: undefined },
  ]);
});

it('of a recording that does not come to its end nothing is left', async () => {
  const file = join(folder, 'broken.session');
  const result = await run('bgp', 'record', 'tor1', '--output', file, '--messages', '13');
  expect(result).toMatchObject({ status: 1, stdout: '' });
  expect(result.stderr).toBe(
    `weft: cannot write ${file}: the daemon ended before all was there; see its log\n`,
  );
  expect(readdirSync(folder).filter((name) => name.startsWith('broken'))).toEqual([]);
});

it.each<[string[], number, RegExp]>([
  [
    ['bgp', 'record', 'nobody', '--output', '/tmp/x'],
    1,
    /^weft: there is no BGP peer 'nobody'; there are: tor1$/,
  ],
  [['bgp', 'record', 'tor1'], 2, /--output <file>/],
  [['bgp', 'record', 'tor1', '--output', '/tmp/x', '--seconds', '0'], 2, /from 1 to 86400/],
  [
    ['bgp', 'record', 'tor1', '--output', '/nowhere/x'],
    1,
    /^weft: cannot write \/nowhere\/x: there is no such folder$/,
  ],
  [
    ['bgp', 'dump', '--output', '/tmp/x', '--peer', 'nobody'],
    1,
    /^weft: there is no BGP peer 'nobody'; there are: tor1$/,
  ],
  [
    ['bgp', 'dump', '--output', '/tmp/x', '--local', '--after-policy'],
    2,
    /--after-policy does not go with --local/,
  ],
  [['bgp', 'replay', '/nowhere/x'], 1, /^weft: cannot read \/nowhere\/x: ENOENT/],
  [['bgp', 'replay', '/etc/hostname'], 1, /^weft: \/etc\/hostname: line 1 is no line of a recording/],

  [['bgp', 'clear', 'nobody'], 1, /^weft: there is no BGP peer 'nobody'; there are: tor1$/],
  [['bgp', 'routes', '--peer', 'nobody'], 1, /^weft: there is no BGP peer 'nobody'; there are: tor1$/],
  [['bgp', 'routes', '--in', '--out'], 2, /^weft: --in does not go with --out; give one$/],
  [['bgp', 'routes', '--out', '--before-policy'], 2, /leave out --out$/],
  [['bgp', 'why', '10.1.0.1/16'], 2, /host bits set; the prefix is 10\.1\.0\.0\/16/],
  [['bgp', 'claer'], 2, /too many arguments|unknown command/],
  [['bgp', 'shutdown', 'tor1', '--message', 'x'.repeat(256)], 2, /text: expected text of 1 to 255 bytes/],
])('%j', async (args, status, message) => {
  const result = await run(...args);
  expect(result).toMatchObject({ status, stdout: '' });
  expect(result.stderr.trimEnd()).toMatch(message);
});

it('says in the routes of the node which cannot be used, and whether what forwards agrees', async () => {
  const [, unused, used] = await lines('routes');
  expect(unused).toMatch(/^10\.3\.0\.0\/16 {2}bgp +not in use; 10\.9\.9\.9: no route/);
  expect(used).toMatch(/direct {2}192\.168\.77\.2 +3 +1500$/);
  expect(await lines('routes', '--check')).toEqual([
    "the route table, the engine and the node's own table agree",
  ]);
  differences = ['10.0.0.0/8 is not in the engine'];
  expect(await run('routes', '--check')).toMatchObject({ status: 1, stdout: `${differences[0]}\n` });
  expect(await run('routes', '--check', '--json')).toMatchObject({
    status: 1,
    stdout: `${JSON.stringify(differences)}\n`,
  });
});
