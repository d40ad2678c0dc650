import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BfdEnd } from '../../../routing/bfd/end.ts';
import {
  type BfdPacket,
  BfdState,
  Diagnostic,
  decodePacket,
  encodePacket,
} from '../../../routing/bfd/packet.ts';
import {
  type BfdSession,
  change as changed,
  detectionTime,
  expire,
  jittered,
  newSession,
  packetOf,
  receive,
  shutDown,
  transmitInterval,
} from '../../../routing/bfd/session.ts';

const SETTINGS = { interval: 100_000, multiplier: 3 };
const packet = (state: BfdState, more: Partial<BfdPacket> = {}): BfdPacket => ({
  diagnostic: 0,
  state,
  poll: false,
  final: false,
  demand: false,
  detectionMultiplier: 3,
  myDiscriminator: 7,
  yourDiscriminator: 1,
  desiredMinTx: 100_000,
  requiredMinRx: 100_000,
  requiredMinEchoRx: 0,
  ...more,
});
const inState = (state: BfdState): BfdSession => ({ ...newSession(SETTINGS, 1), state });
const { adminDown, down, init, up } = BfdState;

describe('packets', () => {
  it('are read as they are written', () => {
    const u32 = fc.integer({ min: 0, max: 0xffffffff });
    const arbitrary = fc.record({
      diagnostic: fc.nat(31),
      state: fc.constantFrom(adminDown, down, init, up),
      poll: fc.boolean(),
      final: fc.boolean(),
      demand: fc.boolean(),
      detectionMultiplier: fc.integer({ min: 1, max: 255 }),
      myDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
      yourDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
      desiredMinTx: u32,
      requiredMinRx: u32,
      requiredMinEchoRx: u32,
    });
    fc.assert(
      fc.property(arbitrary, (one) => {
        expect(decodePacket(encodePacket(one))).toEqual(one);
      }),
    );
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['too short', (bytes) => bytes.subarray(0, 23)],
    ['of another version', (bytes) => change(bytes, 0, 0x40)],
    ['longer than what came', (bytes) => change(bytes, 3, 25)],
    ['shorter than a packet', (bytes) => change(bytes, 3, 23)],
    ['with authentication', (bytes) => change(bytes, 1, bytes[1] | 4)],
    ['of several points', (bytes) => change(bytes, 1, bytes[1] | 1)],
    ['with a multiplier of 0', (bytes) => change(bytes, 2, 0)],
    ['from nobody', (bytes) => bytes.fill(0, 4, 8)],
    ['up without knowing us', (bytes) => bytes.fill(0, 8, 12)],
  ])('%s are dropped', (_, spoil) => {
    const bytes = encodePacket(packet(up));
    expect(decodePacket(bytes)).toBeDefined();
    expect(decodePacket(spoil(bytes))).toBeUndefined();
  });

  it('any bytes are read without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void decodePacket(bytes)),
      { numRuns: 5000 },
    );
  });
});

const change = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  bytes[at] = value;
  return bytes;
};

describe('the state machine', () => {
  // RFC 5880 section 6.8.6: every state with every state of the peer.
  it.each<[BfdState, BfdState, BfdState]>([
    [down, adminDown, down],
    [down, down, init],
    [down, init, up],
    [down, up, down],
    [init, adminDown, down],
    [init, down, init],
    [init, init, up],
    [init, up, up],
    [up, adminDown, down],
    [up, down, down],
    [up, init, up],
    [up, up, up],
    [adminDown, adminDown, adminDown],
    [adminDown, down, adminDown],
    [adminDown, init, adminDown],
    [adminDown, up, adminDown],
  ])('%i, the peer %i: %i', (before, remote, after) => {
    expect(receive(inState(before), packet(remote)).state).toBe(after);
  });

  it('is slow until it is up, then polls for the faster interval', () => {
    const fresh = newSession(SETTINGS, 1);
    expect(packetOf(fresh)).toMatchObject({
      state: down,
      desiredMinTx: 1_000_000,
      yourDiscriminator: 0,
      poll: false,
    });
    const now = receive(fresh, packet(init));
    expect(packetOf(now)).toMatchObject({
      state: up,
      desiredMinTx: 100_000,
      requiredMinRx: 100_000,
      poll: true,
    });
    expect(packetOf(now, true)).toMatchObject({ final: true, poll: false });
    expect(packetOf(receive(now, packet(up)))).toMatchObject({ poll: true });
    expect(packetOf(receive(now, packet(up, { final: true })))).toMatchObject({ poll: false });
  });

  it('sends as often as both can, not at all to whom it is not wanted', () => {
    const session = receive(inState(up), packet(up, { requiredMinRx: 250_000 }));
    expect(transmitInterval(session)).toBe(250_000);
    expect(transmitInterval(receive(session, packet(up, { requiredMinRx: 10 })))).toBe(100_000);
    expect(transmitInterval(receive(session, packet(up, { requiredMinRx: 0 })))).toBeUndefined();
    expect(transmitInterval(receive(session, packet(up, { demand: true })))).toBeUndefined();
    expect(jittered(1000, SETTINGS, 0)).toBe(750);
    expect(jittered(1000, SETTINGS, 1)).toBe(1000);
    expect(jittered(1000, { ...SETTINGS, multiplier: 1 }, 1)).toBeCloseTo(900);
  });

  it('takes the peer for lost after its multiplier of the slower interval', () => {
    expect(detectionTime(newSession(SETTINGS, 1))).toBeUndefined();
    const slower = receive(inState(up), packet(up, { desiredMinTx: 300_000, detectionMultiplier: 5 }));
    expect(detectionTime(slower)).toBe(1_500_000);
    expect(detectionTime(receive(inState(up), packet(up, { desiredMinTx: 10 })))).toBe(300_000);
    expect(expire(slower)).toMatchObject({
      state: down,
      diagnostic: Diagnostic.detectionTimeExpired,
      remoteDiscriminator: 0,
    });
    expect(receive(inState(up), packet(down)).diagnostic).toBe(Diagnostic.neighbourSignalledDown);
  });

  it('becomes slower when the peer has confirmed it, faster at once', () => {
    const slower = { interval: 400_000, multiplier: 3 };
    const asked = changed(receive(inState(up), packet(up)), slower);
    expect(packetOf(asked)).toMatchObject({ state: up, poll: true, desiredMinTx: 400_000 });
    expect(transmitInterval(asked)).toBe(100_000);
    expect(detectionTime(asked)).toBe(1_200_000);
    const confirmed = receive(asked, packet(up, { final: true }));
    expect(transmitInterval(confirmed)).toBe(400_000);
    const faster = changed(confirmed, SETTINGS);
    expect(transmitInterval(faster)).toBe(100_000);
    expect(detectionTime(faster)).toBe(1_200_000);
    expect(detectionTime(receive(faster, packet(up, { final: true })))).toBe(300_000);
  });

  it('an end by hand is told as such', () => {
    const ended = shutDown(inState(up));
    expect(packetOf(ended)).toMatchObject({ state: adminDown, diagnostic: Diagnostic.administrativelyDown });
    expect(receive(inState(up), packetOf(ended))).toMatchObject({ state: down, remoteDiagnostic: 7 });
  });
});

/** Two ends on one clock, with a path between them that loses what `passes` does not let through. */
function simulate(
  milliseconds: number,
  passes: (time: number, from: number) => boolean,
  random: () => number,
) {
  let time = 0;
  const lostAt: number[][] = [[], []];
  const upAt: number[][] = [[], []];
  const wasUp = [false, false];
  const end = (n: number): BfdEnd =>
    new BfdEnd(
      SETTINGS,
      n + 1,
      0,
      {
        send(sent) {
          const arrived = decodePacket(encodePacket(sent));
          if (!arrived || !passes(time, n)) return;
          if (arrived.yourDiscriminator === 0 || arrived.yourDiscriminator === 2 - n)
            inbox.push([1 - n, arrived]);
        },
        changed() {
          const isUp = ends[n].session.state === up;
          if (isUp && !wasUp[n]) upAt[n].push(time);
          wasUp[n] = isUp;
        },
        lost: () => void lostAt[n].push(time),
      },
      random,
    );
  const inbox: [number, BfdPacket][] = [];
  const ends: readonly BfdEnd[] = [end(0), end(1)];
  for (; time < milliseconds; time++) {
    for (const each of ends) if (time >= each.wakeAt) each.tick(time);
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift())
      ends[next[0]].hear(next[1], time);
  }
  return { ends, lostAt, upAt };
}

const randoms = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

describe('two ends', () => {
  it('come up, notice within 300 ms that the path is cut, and come up again', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 6000, max: 7000 }), (seed, cut) => {
        const { ends, lostAt, upAt } = simulate(16_000, (time) => time < cut || time > 9000, randoms(seed));
        expect(ends.map(({ session: { state, polling } }) => [state, polling])).toEqual([
          [up, false],
          [up, false],
        ]);
        for (const n of [0, 1]) {
          expect(upAt[n]).toHaveLength(2);
          expect(lostAt[n]).toHaveLength(1);
          expect(lostAt[n][0] - cut).toBeGreaterThan(150);
          expect(lostAt[n][0] - cut).toBeLessThanOrEqual(302);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('both notice a path that is cut in one direction', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { lostAt } = simulate(8000, (time, from) => time < 6000 || from === 1, randoms(seed));
        for (const n of [0, 1]) {
          expect(lostAt[n].length).toBeGreaterThan(0);
          expect(lostAt[n][0] - 6000).toBeLessThanOrEqual(302);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('stay up through the loss of a packet', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 6000, max: 7000 }), (seed, at) => {
        const { lostAt } = simulate(10_000, (time) => time < at || time > at + 95, randoms(seed));
        expect(lostAt).toEqual([[], []]);
      }),
      { numRuns: 30 },
    );
  });
});
