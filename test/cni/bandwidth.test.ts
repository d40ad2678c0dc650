import { expect, it } from 'vitest';
import { readBandwidth, statedBandwidth } from '../../cni/bandwidth.ts';

it('reads both directions, each by itself', () => {
  expect(readBandwidth({ ingressRate: 5e6, ingressBurst: 1e6 })).toEqual({
    ingress: { rate: 5e6, burst: 1e6 },
  });
  expect(readBandwidth({ egressRate: 1e15, egressBurst: 1 })).toEqual({ egress: { rate: 1e15, burst: 1 } });
  expect(statedBandwidth(readBandwidth({ egressRate: 3000, egressBurst: 5 }))).toEqual({
    ingressRate: 0,
    ingressBurst: 0,
    egressRate: 3000,
    egressBurst: 5,
  });
});

it.each([undefined, 0, 2 ** 31 - 1, 2 ** 32 - 1])('a burst of %s is none that anybody wanted', (burst) => {
  expect(readBandwidth({ ingressRate: 1e8, ingressBurst: burst })).toEqual({
    ingress: { rate: 1e8, burst: 1e6 },
  });
  // A few packets at least.
  expect(readBandwidth({ egressRate: 1000, egressBurst: burst })).toEqual({
    egress: { rate: 1000, burst: 24_000 },
  });
  expect(readBandwidth({ ingressBurst: burst, egressBurst: burst })).toBeUndefined();
});

it.each([
  [{ ingressRate: -1 }, /ingressRate: -1 is not valid; expected a whole number of bits a second, 1000 to/],
  [{ ingressRate: 999 }, /ingressRate: 999/],
  [{ ingressRate: 1e16 }, /ingressRate/],
  [{ egressRate: 1e6, egressBurst: 2 ** 32 }, /egressBurst: 4294967296 is not valid/],
  [{ egressRate: 1e6, egressBurst: 0.5 }, /egressBurst: 0.5/],
  [{ egressBurst: 1000 }, /egressBurst: 1000 without egressRate/],
])('%o is refused', (wanted, message) => {
  expect(() => readBandwidth(wanted)).toThrow(message);
});
