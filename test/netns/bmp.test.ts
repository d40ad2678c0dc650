// A node tells a monitoring station what its router tells it: pmacct's reads the stream, tshark what is on the wire.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BgpPeer, BmpStation } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { birdTor, DataCentre, NODE_ASN, SERVER_PREFIXES, TOR_ASN } from '../support/data-centre.ts';
import { type BmpEvent, Pmbmpd } from '../support/pmbmpd.ts';
import { startWeft, type WeftSite, weftConfig } from '../support/pods.ts';
import { eventually, type Router, startBird } from '../support/routers.ts';
import { underlayAddress } from '../support/underlay.ts';
import { weft as program } from '../support/weft.ts';

const TOR = 10;
const STATION = { address: underlayAddress(TOR, 4), port: 11019 };
/** No default route of IPv4: tshark, which guesses whether there are path identifiers, takes it for the beginning of one. */
const ROUTE = '172.16.0.0/12';
const TOLD = [ROUTE, SERVER_PREFIXES[0], '198.51.100.0/24', '::/0', SERVER_PREFIXES[1]];
/** By the node's policy. */
const REJECTED = '198.51.100.0/24';

let run: Run;
let tor: Router;
let weft: WeftSite;
let station: Pmbmpd;
const config = {
  node: { name: 'rack1-node1', address: [underlayAddress(1, 4), underlayAddress(1, 6)] },
  bgp: {
    asn: NODE_ASN,
    policies: {
      'from-tor': [
        { match: { prefixes: [REJECTED] }, action: 'reject' },
        { set: { localPref: 200 }, action: 'accept' },
      ],
      all: [{ action: 'accept' }],
    },
    peers: [
      { name: 'tor', address: underlayAddress(TOR, 4), asn: TOR_ASN, import: ['from-tor'], export: ['all'] },
    ],
    bmp: [{ name: 'pmacct', ...STATION, statistics: 1 }],
  },
};

const routesOf = (events: readonly BmpEvent[], post: 0 | 1, type = 'update') =>
  events
    .filter((one) => one.bmp_msg_type === 'route_monitor' && one.is_post === post && one.log_type === type)
    .map(({ ip_prefix }) => ip_prefix);
const of = (kind: BmpEvent['bmp_msg_type']) =>
  station.events().filter(({ bmp_msg_type }) => bmp_msg_type === kind);
const command = async (...args: string[]) => {
  const result = await program(args, { env: { WEFT_SOCKET: weft.node.socket } });
  if (result.status !== 0) throw new Error(`weft ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
};

beforeAll(async () => {
  run = new Run();
  const dc = new DataCentre(run, [1]);
  const routes4 = [ROUTE, SERVER_PREFIXES[0], REJECTED];
  tor = await startBird(run, dc.tor(TOR), birdTor({ n: TOR, nodes: [1], routes4 }));
  station = new Pmbmpd(run, tor.namespace, STATION.address, STATION.port);
  station.start();
  weft = await startWeft(run, dc.underlay, 1, { config });
  await eventually(async () => {
    const [peer] = await weft.node.client.get<BgpPeer[]>('bgp');
    expect(peer).toMatchObject({ state: 'established', received: 5 });
  });
}, 60_000);
afterAll(() => run?.close());

const TOLD_BEFORE = [...TOLD].sort();
const TOLD_AFTER = TOLD.filter((prefix) => prefix !== REJECTED).sort();
const station1 = async () => (await weft.node.client.get<BmpStation[]>('bgp/bmp'))[0];

it('tells who it is, that the router is up, and its routes before and after policy', async () => {
  await eventually(() => {
    expect(new Set(routesOf(station.events(), 0))).toEqual(new Set(TOLD));
    expect(new Set(routesOf(station.events(), 1))).toEqual(new Set(TOLD_AFTER));
  });
  const [init] = of('init');
  expect(init).toMatchObject({
    bmp_init_info_sysname: 'rack1-node1',
    bmp_init_info_sysdescr: expect.stringMatching(/^Weft \d/),
  });
  expect(of('peer_up')).toMatchObject([
    {
      peer_ip: underlayAddress(TOR, 4),
      peer_asn: TOR_ASN,
      bgp_id: underlayAddress(TOR, 4),
      local_ip: underlayAddress(1, 4),
    },
  ]);
  const found = station.events().filter(({ ip_prefix }) => ip_prefix === ROUTE);
  const common = { as_path: String(TOR_ASN), bgp_nexthop: underlayAddress(TOR, 4), log_type: 'update' };
  expect(found.find(({ is_post }) => is_post === 0)).toMatchObject(common);
  expect(found.find(({ is_post }) => is_post === 0)).not.toHaveProperty('local_pref');
  expect(found.find(({ is_post }) => is_post === 1)).toMatchObject({ ...common, local_pref: 200 });
  await eventually(() => {
    const counts = new Map(
      of('stats').map(({ counter_type, counter_value }) => [counter_type, counter_value]),
    );
    expect(counts).toEqual(
      new Map([
        [7, 5],
        [11, 0],
        [15, 2],
      ]),
    );
  });
  expect(await station1()).toMatchObject({
    ...{ name: 'pmacct', ...STATION, connected: true, connections: 1, lastError: null },
  });
  expect(await command('bgp', 'bmp')).toMatch(/pmacct +192\.168\.77\.10 +11019 +connected +\S+ +1 +\d+/);
});

it('tells what changes, and nothing else', async () => {
  const before = station.events().length;
  const news = () => station.events().slice(before);
  await tor.ask('disable static1');
  await eventually(() => {
    expect(routesOf(news(), 0, 'withdraw').sort()).toEqual(TOLD_BEFORE.filter((one) => !one.includes(':')));
    expect(routesOf(news(), 1, 'withdraw').sort()).toEqual(TOLD_AFTER.filter((one) => !one.includes(':')));
  });
  expect(routesOf(news(), 0)).toEqual([]);
  await tor.ask('enable static1');
  await eventually(() => expect(routesOf(news(), 1)).toHaveLength(2));
});

it('tells how a session ended, and begins anew with the next', { timeout: 60_000 }, async () => {
  const before = station.events().length;
  const news = () => station.events().slice(before);
  await command('bgp', 'shutdown', 'tor', '--message', 'new cables');
  // 1: by a NOTIFICATION of ours.
  await eventually(() => expect(of('peer_down')).toMatchObject([{ reason_type: 1, peer_asn: TOR_ASN }]));
  await command('bgp', 'enable', 'tor');
  await eventually(() => expect(new Set(routesOf(news(), 0))).toEqual(new Set(TOLD)));
  expect(of('peer_up')).toHaveLength(2);
  // 3: by one of the router's.
  await tor.ask('restart node1');
  await eventually(() => expect(of('peer_down').map(({ reason_type }) => reason_type)).toEqual([1, 3]));
  await eventually(() => expect(of('peer_up')).toHaveLength(3), 30_000);
});

it('a station that was away is told everything, in bytes that tshark finds nothing wrong with', {
  timeout: 60_000,
}, async () => {
  await station.kill();
  await eventually(async () => expect(await station1()).toMatchObject({ connected: false }));
  expect((await station1()).lastError).not.toBeNull();
  const taken = await capture(
    run,
    tor.namespace,
    { interface: 'u0', direction: 'in', filter: `tcp port ${STATION.port}` },
    async () => {
      station.start();
      await eventually(() => {
        expect(routesOf(station.events(), 0).sort()).toEqual(TOLD_BEFORE);
        expect(routesOf(station.events(), 1).sort()).toEqual(TOLD_AFTER);
      });
    },
  );
  expect(await station1()).toMatchObject({ connected: true, connections: 2 });
  const frames = taken.read(
    ['bmp.type', 'bgp.type', '_ws.malformed', '_ws.expert.severity'],
    ['-d', `tcp.port==${STATION.port},bmp`, '-o', 'tcp.desegment_tcp_streams:TRUE'],
  );
  const all = (field: 'bmp.type' | 'bgp.type' | '_ws.malformed') => frames.flatMap((one) => one[field]);
  // Initiation, Peer Up with both OPENs, Route Monitoring with its UPDATEs.
  expect(all('bmp.type').slice(0, 3)).toEqual(['4', '3', '0']);
  expect(all('bgp.type').slice(0, 3)).toEqual(['1', '1', '2']);
  expect(all('_ws.malformed')).toEqual([]);
});

it('says goodbye when it is configured away, and when it ends', async () => {
  const folder = run.folderOf(weft.node.namespace);
  const reload = (bgp: object) => {
    const whole = weftConfig(1, { config: { ...config, bgp } });
    const own = { state: join(folder, 'state'), api: { socket: weft.node.socket } };
    writeFileSync(weft.node.configFile, JSON.stringify({ ...own, ...whole }));
    weft.node.process.kill('SIGHUP');
  };
  reload({ ...config.bgp, bmp: [] });
  await eventually(async () => expect(await weft.node.client.get('bgp/bmp')).toEqual([]));
  await eventually(() => expect(of('term')).toHaveLength(1));
  reload(config.bgp);
  await eventually(() => expect(of('init')).toHaveLength(2));
  expect(await weft.node.stop()).toBe(0);
  await eventually(() => expect(of('term')).toHaveLength(2));
});
