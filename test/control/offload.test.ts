// What a node makes of what is wanted and what the kernel has, and what it says of it.

import { describe, expect, it } from 'vitest';
import { decideOffloads, type KernelOffloads } from '../../control/offload.ts';
import { TunOffload } from '../../sys/tun.ts';
import { ALL_OFFLOADS } from '../support/node-config.ts';

const TSO = TunOffload.tso4 | TunOffload.tso6 | TunOffload.tsoEcn;
const USO = TunOffload.uso4 | TunOffload.uso6;
const EVERYTHING: KernelOffloads = {
  tun: TunOffload.checksum | TSO | USO,
  segment: true,
  gro: true,
  ringProblem: undefined,
};
const ON = { on: true };
const NOT_WANTED = { on: false, why: 'engine.offload' };
const MISSING = { on: false, why: 'this kernel does not have it' };

describe('offloads', () => {
  it('are all used where the kernel has them', () => {
    const offloads = decideOffloads(ALL_OFFLOADS, EVERYTHING);
    expect(Object.values(offloads.states)).toEqual(Array(7).fill(ON));
    expect(offloads).toMatchObject({ tun: EVERYTHING.tun, segment: true, gro: true, batchedReads: true });
    expect(offloads.join).toEqual({ joinTcp: true, joinUdp: true });
  });

  it('are left out when they are not wanted, and those that need them', () => {
    const wanted = { ...ALL_OFFLOADS, checksum: false, udpGro: false, batchedReads: false };
    const { tun, gro, batchedReads, states } = decideOffloads(wanted, EVERYTHING);
    expect({ tun, gro, batchedReads }).toEqual({ tun: 0, gro: false, batchedReads: false });
    expect(states).toMatchObject({ checksum: NOT_WANTED, udpGro: NOT_WANTED, batchedReads: NOT_WANTED });
    expect(states.segmentation).toEqual({ on: false, why: 'needs checksum, which is off' });
  });

  it('are told apart by what the kernel lacks', () => {
    const ringProblem = 'io_uring_setup: kernel.io_uring_disabled forbids it';
    const kernel = { ...EVERYTHING, tun: TunOffload.checksum | TSO, segment: false, ringProblem };
    const offloads = decideOffloads(ALL_OFFLOADS, kernel);
    expect(offloads.states).toMatchObject({
      segmentation: ON,
      udpSegmentation: MISSING,
      udpSegment: MISSING,
      batchedReads: { on: false, why: ringProblem },
    });
    expect(offloads).toMatchObject({ segment: false, batchedReads: false });
    expect(offloads.join).toEqual({ joinTcp: true, joinUdp: false });
  });
});
