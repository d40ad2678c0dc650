// BFD against BIRD and FRR, over a switch that can stop forwarding without anybody's link going down.
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import type { Bfd, BfdTarget, BfdView } from '../../routing/bfd/bfd.ts';
import { BfdState, encodePacket } from '../../routing/bfd/packet.ts';
import { parseAddress } from '../../wire/address.ts';
import { compiled } from '../support/compiled.ts';
import { enterNamespace } from '../support/pod-namespace.ts';
import { eventually, frrName, type Router, startBird, startFrr } from '../support/routers.ts';
import { portName, Underlay, underlayAddress } from '../support/underlay.ts';

const [WEFT, BIRD, FRR] = [1, 2, 3];
/** What three packets of 100 ms allow, and a machine at work adds. */
const DETECTION_MS = 400;
const CUTS = 3;

let run: Run;
let underlay: Underlay;
let bird: Router;
let frr: Router;
let bfd: Bfd;
let leave = () => {};
const views = new Map<string, BfdView>();
let lost: { readonly name: string; readonly at: number }[] = [];

const target = (name: string, n: number, family: 4 | 6, more: Partial<BfdTarget> = {}): BfdTarget => ({
  name,
  remote: parseAddress(underlayAddress(n, family)),
  local: parseAddress(underlayAddress(WEFT, family)),
  multihop: false,
  interval: 100,
  multiplier: 3,
  ...more,
});
const all = (more: Partial<BfdTarget> = {}) => [
  target('bird', BIRD, 4, more),
  target('bird-multihop', BIRD, 6, { multihop: true, ...more }),
  target('frr', FRR, 4, more),
  target('frr6', FRR, 6, more),
];

const BIRD_CONFIG = `
router id ${underlayAddress(BIRD, 4)};
timeformat log "%F %T.%6f";
protocol bfd {
  debug { states, events };
  interface "u0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; };
  multihop { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; };
  neighbor ${underlayAddress(WEFT, 4)} dev "u0" local ${underlayAddress(BIRD, 4)};
  neighbor ${underlayAddress(WEFT, 6)} local ${underlayAddress(BIRD, 6)} multihop on;
}`;
const frrPeer = (family: 4 | 6) => `
 peer ${underlayAddress(WEFT, family)} local-address ${underlayAddress(FRR, family)} interface u0
  receive-interval 100
  transmit-interval 100
  detect-multiplier 3
 exit`;
const FRR_CONFIG = `bfd${frrPeer(4)}${frrPeer(6)}\nexit\n`;

beforeAll(async () => {
  run = new Run();
  underlay = new Underlay(run);
  const weft = underlay.host(WEFT);
  [bird, frr] = await Promise.all([
    startBird(run, underlay.host(BIRD), BIRD_CONFIG),
    startFrr(run, underlay.host(FRR), FRR_CONFIG, ['bfdd']),
  ]);
  const { startBfd } = await import(join(compiled(), 'routing/bfd/spawn.js'));
  leave = enterNamespace(weft.path);
  bfd = startBfd({
    onLost: (name: string) => void lost.push({ name, at: performance.now() }),
    onView: (view: BfdView) => void views.set(view.name, view),
    onLog: () => {},
    onFailure: (error: Error) => expect.fail(error.message),
  });
}, 60_000);
afterAll(async () => {
  leave();
  await bfd?.stop();
  await run?.close();
});
beforeEach(async () => {
  bfd.watch(all());
  await allUp();
  lost = [];
});

const allUp = () =>
  eventually(() => {
    const down = all().filter(({ name }) => views.get(name)?.state !== 'up');
    if (down.length > 0) throw new Error(JSON.stringify([...views.values()]));
  });

/** Whether the switch forwards what a machine sends and is sent. */
const forward = (n: number, does: boolean) =>
  underlay.namespace.run('bridge', 'link', 'set', 'dev', portName(n), 'state', does ? '3' : '0');

interface FrrPeer {
  readonly peer: string;
  readonly status: string;
  readonly 'remote-diagnostic': string;
  readonly 'remote-receive-interval': number;
  readonly uptime?: number;
}
const frrPeers = async () => JSON.parse(await frr.ask('show bfd peers json')) as FrrPeer[];
const birdStates = async () =>
  (await bird.ask('show bfd sessions'))
    .split('\n')
    .flatMap((line) => /\b(Up|Down|Init)\b/.exec(line)?.[1] ?? []);

it('comes up with both: on a link and further away, IPv4 and IPv6', async () => {
  for (const view of views.values()) expect(view).toMatchObject({ detectionMs: 300, intervalMs: 100 });
  await eventually(async () => expect(await birdStates()).toEqual(['Up', 'Up']));
  await eventually(async () => expect((await frrPeers()).map(({ status }) => status)).toEqual(['up', 'up']));
});

it('detects a path that is gone, and so do they', { timeout: 60_000 }, async () => {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let cut = 0; cut < CUTS; cut++) {
    lost = [];
    const began = performance.now();
    forward(WEFT, false);
    // Both ask as fast as they can; what is measured is until they say so.
    const [byBird, byFrr] = [
      eventually(async () => expect(await birdStates()).not.toContain('Up')).then(() => performance.now()),
      eventually(async () => expect((await frrPeers()).map(({ status }) => status)).not.toContain('up')).then(
        () => performance.now(),
      ),
    ];
    await eventually(() => expect(lost).toHaveLength(4));
    ours.push(...lost.map(({ at }) => at - began));
    theirs.push((await byBird) - began, (await byFrr) - began);
    forward(WEFT, true);
    await allUp();
  }
  const sorted = [...ours].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1];
  const text = (all: readonly number[]) => all.map((one) => Math.round(one)).join(' ');
  console.log(`lost after ms: here ${text(sorted)}; there ${text(theirs)}`);
  expect(median).toBeLessThan(DETECTION_MS);
  // Three packets of theirs, the least of which come after three quarters of their interval.
  expect(sorted[0]).toBeGreaterThan(150);
  expect(Math.min(...theirs)).toBeGreaterThan(150);
  expect(Math.max(...theirs)).toBeLessThan(3000);
});

it('is not upset by an end that is meant, on either side', async () => {
  const shut = (no: string) =>
    frr.namespace.run(
      ...(['vtysh', '-N', frrName(frr.namespace)] as const),
      ...['-c', 'configure terminal', '-c', 'bfd'],
      ...['-c', `peer ${underlayAddress(WEFT, 4)} local-address ${underlayAddress(FRR, 4)} interface u0`],
      ...['-c', `${no}shutdown`],
    );
  shut('');
  await eventually(() => expect(views.get('frr')?.state).toBe('down'));
  shut('no ');
  await allUp();
  bfd.watch(all().filter(({ name }) => name !== 'frr6'));
  await eventually(async () => {
    const peer = (await frrPeers()).find((one) => one.peer === underlayAddress(WEFT, 6));
    expect(peer).toMatchObject({ status: 'down', 'remote-diagnostic': 'administratively down' });
  });
  expect(lost).toEqual([]);
});

it('goes on while the thread that asked for it is busy', async () => {
  const downs = async () =>
    (JSON.parse(await frr.ask('show bfd peers counters json')) as { 'session-down': number }[]).map(
      (one) => one['session-down'],
    );
  const before = await downs();
  const end = performance.now() + 1500;
  while (performance.now() < end);
  expect(await downs()).toEqual(before);
  expect(await birdStates()).toEqual(['Up', 'Up']);
  await allUp();
  expect(lost).toEqual([]);
});

it('changes its interval without an end of the session', async () => {
  bfd.watch(all({ interval: 250 }));
  await eventually(() => {
    for (const { name } of all()) {
      expect(views.get(name)).toMatchObject({ state: 'up', intervalMs: 250, detectionMs: 750 });
    }
  });
  await eventually(async () => {
    for (const peer of await frrPeers()) expect(peer['remote-receive-interval']).toBe(250);
  });
  expect(lost).toEqual([]);
});

it('believes nobody who is further away than the link', async () => {
  const down = encodePacket({
    ...{ diagnostic: 0, state: BfdState.down, poll: false, final: false, demand: false },
    ...{ detectionMultiplier: 3, myDiscriminator: 99, yourDiscriminator: 0 },
    ...{ desiredMinTx: 1_000_000, requiredMinRx: 1_000_000, requiredMinEchoRx: 0 },
  });
  const program = `import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP,socket.IP_TTL,int(sys.argv[1]))
s.bind(('${underlayAddress(BIRD, 4)}',50000))
s.sendto(bytes.fromhex('${Buffer.from(down).toString('hex')}'),('${underlayAddress(WEFT, 4)}',3784))`;
  const losses = () => lost.filter(({ name }) => name === 'bird').length;
  for (let n = 0; n < 5; n++) bird.namespace.run('python3', '-c', program, '254');
  // As long as it takes for the same from next door to be believed.
  const began = performance.now();
  expect(losses()).toBe(0);
  bird.namespace.run('python3', '-c', program, '255');
  await eventually(() => expect(losses()).toBe(1));
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(lost.length).toBe(1);
});
