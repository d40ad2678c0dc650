// Sessions recorded and run again, bit for bit: from their beginning and from the middle, with routes, errors, restarts.
import { expect, it } from 'vitest';
import type { ReceivedUpdate } from '../../../routing/bgp/codec/update.ts';
import type { Peer } from '../../../routing/bgp/peer.ts';
import { asRecorded, formatLine } from '../../../routing/bgp/record/format.ts';
import { RecordingError, type Replayed, replay } from '../../../routing/bgp/record/replay.ts';
import { Network, type SimSpeaker } from '../../support/bgp-network.ts';

const HUB = '10.0.0.1';
const SPOKE = '10.0.0.2';
const BOUNDS = { seconds: 1e6, bytes: 1 << 28 };

interface World {
  readonly network: Network;
  readonly hub: SimSpeaker;
  readonly spoke: SimSpeaker;
  readonly peer: Peer;
}

const world = (settings: Parameters<SimSpeaker['peer']>[2] = {}): World => {
  const network = new Network(7);
  const hub = network.speaker(HUB, 65001);
  const spoke = network.speaker(SPOKE, 65002);
  const peer = hub.peer(SPOKE, 65002, { families: [4, 6], ...settings });
  spoke.peer(HUB, 65001, { families: [4, 6], ...settings });
  return { network, hub, spoke, peer };
};

type Recording = ReturnType<Peer['record']>;
const linesOf = (recording: Recording): string[] => {
  const parts: Uint8Array[] = [];
  for (let part = recording.fetch(); part !== undefined && part.length > 0; part = recording.fetch())
    parts.push(part);
  return Buffer.concat(parts).toString().split('\n').slice(0, -1);
};

const busy = ({ network, hub, spoke }: World): void => {
  for (let n = 0; n < 300; n++) {
    spoke.originate(`10.${n & 255}.${n >> 8}.0/24`, {
      med: n % 5,
      communities: [n],
      largeCommunities: [{ global: n, local1: 1, local2: 2 }],
    });
    hub.originate(`fd00:${n.toString(16)}::/32`, { med: n % 3 });
  }
  network.run(100);
  for (let n = 0; n < 100; n++) spoke.withdraw(`10.${n}.0.0/24`);
  network.run(10);
  network.cut(HUB, SPOKE);
  network.run(60);
  hub.peers.get(SPOKE)?.reset(4, 'tried by a test');
  network.run(60);
};

it('a session from its first attempt on', async () => {
  const all = world();
  const recording = all.peer.record(BOUNDS);
  busy(all);
  expect(all.peer.isUp).toBe(true);
  all.peer.dispose();
  const lines = linesOf(recording);
  const replayed = await replay(lines);
  expect(replayed).toMatchObject({
    peer: SPOKE,
    end: 'the peer is not there any more, or configured anew',
    difference: null,
    intact: true,
  });
  expect(replayed.inputs).toBeGreaterThan(50);
  expect(replayed.calls).toBeGreaterThan(replayed.inputs);
  expect(replayed.seconds).toBeGreaterThan(200);
  // It is what happened that was written down: sessions up, ended, up again, and all routes.
  const count = (call: string): number => lines.filter((line) => line.startsWith(`["${call}"`)).length;
  expect([count('up'), count('down')]).toEqual([3, 2]);
  expect(
    lines
      .filter((line) => line.startsWith('["update"'))
      .join()
      .match(/\$prefix":"10\./g)?.length,
  ).toBeGreaterThan(700);
});

it('a session that has long been up, from anywhere in a message', async () => {
  const all = world();
  all.network.run(20);
  // Half of a KEEPALIVE is there when the recording begins.
  const whole = new Uint8Array(19).fill(0xff);
  whole.set([0, 19, 4], 16);
  const { ours, theirs } = all.peer.session.snapshot();
  const id = [ours, theirs].find((one) => one?.state.name === 'established')?.id as number;
  all.peer.handle({ kind: 'data', connection: id, bytes: whole.subarray(0, 7) });
  const recording = all.peer.record(BOUNDS);
  all.peer.handle({ kind: 'data', connection: id, bytes: whole.subarray(7) });
  busy(all);
  all.peer.dispose();
  expect(await replay(linesOf(recording))).toMatchObject({ difference: null, intact: true });
});

it('with paths, without extended messages, held for a time, passive', async () => {
  const all = world({
    addPath: 'both',
    extendedMessages: false,
    passive: false,
    holdTime: 9,
    advertisementInterval: 5,
  });
  const recording = all.peer.record(BOUNDS);
  all.network.run(10);
  all.peer.reset(1, 'too much', 30);
  all.network.run(20);
  busy(all);
  all.peer.dispose();
  expect(await replay(linesOf(recording))).toMatchObject({ difference: null, intact: true });
});

it('ends after so many messages, so many seconds, so many bytes', async () => {
  const end = async (bounds: Partial<Parameters<Peer['record']>[0]>): Promise<Replayed> => {
    const all = world();
    const recording = all.peer.record({ ...BOUNDS, ...bounds });
    busy(all);
    const lines = linesOf(recording);
    return replay(lines);
  };
  const few = await end({ messages: 6 });
  expect(few).toMatchObject({ end: '6 messages are there', difference: null, intact: true });
  const short = await end({ seconds: 20 });
  expect(short).toMatchObject({ end: '20 s are over', difference: null, intact: true });
  expect(short.seconds).toBeLessThan(20);
  const small = await end({ bytes: 20_000 });
  expect(small).toMatchObject({ end: 'it has more than 20000 bytes', difference: null, intact: true });
});

it('who does not read it in time loses the recording, and no memory', async () => {
  const all = world();
  const recording = all.peer.record(BOUNDS);
  for (let round = 0; round < 60; round++) {
    for (let n = 0; n < 4000; n++) all.spoke.originate(`10.${n & 255}.${n >> 8}.0/24`, { med: round });
    all.network.run(5);
  }
  const text = recording.fetch();
  expect(text?.length).toBeGreaterThan(8 << 20);
  expect(text?.length).toBeLessThan(16 << 20);
  const lines = Buffer.from(text as Uint8Array)
    .toString()
    .split('\n')
    .slice(0, -1);
  expect(await replay(lines)).toMatchObject({
    end: 'it was not read fast enough',
    difference: null,
    intact: true,
  });
});

it('one recording at a time', () => {
  const { peer } = world();
  const recording = peer.record(BOUNDS);
  expect(() => peer.record(BOUNDS)).toThrow(`the peer ${SPOKE} is being recorded already`);
  recording.close();
  peer.record(BOUNDS).close();
});

it('the password is not in it', async () => {
  const all = world({ password: 'sesame-open' });
  const recording = all.peer.record(BOUNDS);
  busy(all);
  all.peer.dispose();
  const lines = linesOf(recording);
  expect(lines.join()).not.toContain('sesame-open');
  expect(await replay(lines)).toMatchObject({ difference: null, intact: true });
});

it('any byte that is another one is told', async () => {
  const all = world();
  const recording = all.peer.record(BOUNDS);
  all.spoke.originate('10.1.0.0/16');
  all.network.run(40);
  all.peer.dispose();
  const text = `${linesOf(recording).join('\n')}\n`;
  const read = async (changed: string): Promise<string> => {
    try {
      const { difference, intact, end } = await replay(changed.split('\n').slice(0, -1));
      if (difference !== null) return `line ${difference.line}`;
      return end === null ? 'no end' : intact ? 'identical' : 'changed';
    } catch (error) {
      if (error instanceof RecordingError) return error.message;
      throw error;
    }
  };
  expect(await read(text)).toBe('identical');
  const told = { difference: 0, changed: 0, unreadable: 0 };
  // Every 7th byte of it, and each a little different from before.
  for (let at = 0; at < text.length - 1; at += 7) {
    const byte = text.charCodeAt(at);
    const other = String.fromCharCode(byte === 10 ? 32 : byte ^ 1);
    const outcome = await read(text.slice(0, at) + other + text.slice(at + 1));
    expect(outcome, `byte ${at}: ${text.slice(at - 20, at + 20)}`).not.toBe('identical');
    if (outcome.startsWith('line ') && !outcome.includes(' is ')) told.difference++;
    else if (outcome === 'changed' || outcome === 'no end') told.changed++;
    else told.unreadable++;
  }
  expect(told.difference).toBeGreaterThan(50);
});

it('what is cut off is as far as it goes', async () => {
  const all = world();
  const recording = all.peer.record(BOUNDS);
  all.network.run(40);
  const lines = linesOf(recording);
  expect(await replay(lines)).toMatchObject({ end: null, difference: null, intact: false });
  expect(await replay(lines.slice(0, -1))).toMatchObject({
    end: null,
    intact: false,
    difference: { replayed: expect.anything() },
  });
});

it.each([
  [[], 'it does not begin'],
  [['{"some":"json"}'], 'line 1 is no line of a recording'],
  [['["weft-bgp-session",1,{}]'], 'it is of version 1'],
])('%j is no recording', async (lines, why) => {
  await expect(replay(lines)).rejects.toThrow(why);
});

it('an UPDATE is written down alike, whether its attributes were known before or not', () => {
  const nextHop = { family: 4, words: [1] } as const;
  const unknown = [{ type: 99, value: Uint8Array.of(1) }];
  // As the peer sent them, and as they are read from what is kept of them.
  const sent = { unknown, med: 7, nextHop, origin: 0, asPath: [] } as const;
  const kept = { origin: 0, asPath: [], nextHop, med: 7, unknown } as const;
  const good = { kind: 'update', treatAsWithdraw: false, errors: [] } as const;
  const update = { withdrawn: [], attributes: sent, nlri: [] };
  const fresh: ReceivedUpdate = { ...good, update };
  const known: ReceivedUpdate = {
    ...good,
    update: { ...update, attributes: {} },
    known: { id: 3, attributes: kept },
  };
  const text = (received: ReceivedUpdate) => formatLine(['update', asRecorded(received), null]);
  expect(text(known)).toBe(text(fresh));
});
