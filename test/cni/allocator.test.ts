import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressRange,
  allocate,
  emptyState,
  endRests,
  REST,
  release,
  take,
} from '../../cni/ipam/allocator.ts';
import { hostAddress } from '../../cni/ipam/pool.ts';
import { type Address, formatAddress, parseAddress } from '../../wire/address.ts';
import { parsePrefix, prefixContains } from '../../wire/prefix.ts';

const state = (...ranges: string[]) => emptyState(ranges.map(parsePrefix));

/** Allocates, takes and returns the addresses as text. */
function give(ipam: ReturnType<typeof state>, ...requested: string[]): string[] {
  const result = allocate(ipam, requested.map(parseAddress));
  if (!result.ok) throw new Error(result.reason);
  for (const address of result.addresses) expect(take(ipam, address)).toBe(true);
  return result.addresses.map(formatAddress);
}

function refusal(ipam: ReturnType<typeof state>, ...requested: string[]): string {
  const result = allocate(ipam, requested.map(parseAddress));
  expect(result.ok).toBe(false);
  return result.ok ? '' : result.reason;
}

describe('allocate', () => {
  it('gives one address of each family, after network and node', () => {
    const ipam = state('10.244.1.0/24', 'fd00:244:1::/64');
    expect(give(ipam)).toEqual(['10.244.1.2', 'fd00:244:1::2']);
    expect(give(ipam)).toEqual(['10.244.1.3', 'fd00:244:1::3']);
  });

  it('changes nothing by itself', () => {
    const ipam = state('10.244.1.0/24');
    expect(allocate(ipam)).toEqual(allocate(ipam));
  });

  it('goes round: an address just freed is the last to be given again', () => {
    const ipam = state('10.0.0.0/29');
    expect([give(ipam), give(ipam), give(ipam)]).toEqual([['10.0.0.2'], ['10.0.0.3'], ['10.0.0.4']]);
    release(ipam, parseAddress('10.0.0.2'), 0);
    expect([give(ipam), give(ipam), give(ipam)]).toEqual([['10.0.0.5'], ['10.0.0.6'], ['10.0.0.2']]);
    expect(refusal(ipam)).toBe('no free address left (10.0.0.0/29: 5 in use)');
  });

  it('lets a freed address rest, unless it is asked for or nothing else is left', () => {
    const ipam = state('10.0.0.0/29');
    for (let i = 0; i < 5; i++) give(ipam);
    for (const [at, host] of [4, 2, 3].entries()) release(ipam, parseAddress(`10.0.0.${host}`), at * 1000);
    expect(give(ipam, '10.0.0.3')).toEqual(['10.0.0.3']);
    expect(allocate(ipam)).toEqual({ ok: true, addresses: [parseAddress('10.0.0.4')] }); // Has rested longest.
    endRests(ipam, REST + 999);
    expect(give(ipam)).toEqual(['10.0.0.4']);
    endRests(ipam, REST + 1000);
    release(ipam, parseAddress('10.0.0.6'), REST + 1000);
    expect(give(ipam)).toEqual(['10.0.0.2']);
    expect(give(ipam)).toEqual(['10.0.0.6']);
  });

  describe('within ranges', () => {
    const range = (first: string, last: string): AddressRange => ({
      first: parseAddress(first),
      last: parseAddress(last),
    });
    const within = (ipam: ReturnType<typeof state>, ranges: AddressRange[], ...requested: string[]) => {
      const result = allocate(ipam, requested.map(parseAddress), ranges);
      if (!result.ok) return result.reason;
      for (const address of result.addresses) expect(take(ipam, address)).toBe(true);
      return result.addresses.map(formatAddress).join(' ');
    };

    it('gives from these, one of each of their families, round and round', () => {
      const ipam = state('10.244.1.0/24', 'fd00:244:1::/64');
      const ranges = [range('10.244.1.100', '10.244.1.102')];
      expect([0, 1, 2].map(() => within(ipam, ranges))).toEqual([
        '10.244.1.100',
        '10.244.1.101',
        '10.244.1.102',
      ]);
      expect(within(ipam, ranges)).toMatch(/^no free address left in 10\.244\.1\.100-10\.244\.1\.102 \(/);
      release(ipam, parseAddress('10.244.1.101'), 0);
      expect(within(ipam, ranges)).toBe('10.244.1.101');
      expect(
        within(ipam, [range('10.244.1.254', '10.244.2.9'), range('fd00:244:1::', 'fd00:244:1::9')]),
      ).toBe('10.244.1.254 fd00:244:1::2');
    });

    it('says why it cannot', () => {
      const ipam = state('10.244.1.0/24');
      expect(within(ipam, [range('10.9.0.0', '10.9.0.9')])).toMatch(
        /^10\.9\.0\.0-10\.9\.0\.9: no part of it is in a pod range of this node \(10\.244\.1\.0\/24/,
      );
      expect(within(ipam, [range('10.244.1.255', '10.244.1.255')])).toMatch(/no part of it/);
      expect(within(ipam, [range('10.244.1.4', '10.244.1.9')], '10.244.1.10')).toBe(
        '10.244.1.10 is in none of the ranges 10.244.1.4-10.244.1.9',
      );
    });
  });

  it('uses the next range of a family when the first is full', () => {
    const ipam = state('10.0.0.0/30', '10.0.1.0/30');
    expect([give(ipam), give(ipam)]).toEqual([['10.0.0.2'], ['10.0.1.2']]);
  });

  it('honours a requested address, and chooses the other family itself', () => {
    const ipam = state('10.244.1.0/24', 'fd00:244:1::/64');
    expect(give(ipam, 'fd00:244:1::77')).toEqual(['10.244.1.2', 'fd00:244:1::77']);
    expect(give(ipam, '10.244.1.9', 'fd00:244:1::9')).toEqual(['10.244.1.9', 'fd00:244:1::9']);
  });

  it('says why a requested address is refused', () => {
    const ipam = state('10.244.1.0/24', 'fd00:244:1::/64');
    give(ipam, '10.244.1.9');
    expect(refusal(ipam, '10.244.1.9')).toBe('10.244.1.9 is in use by another pod');
    expect(refusal(ipam, '10.244.1.0')).toBe('10.244.1.0 is the network address of 10.244.1.0/24');
    expect(refusal(ipam, '10.244.1.1')).toBe("10.244.1.1 is the node's own address in 10.244.1.0/24");
    expect(refusal(ipam, '10.244.1.255')).toBe('10.244.1.255 is the broadcast address of 10.244.1.0/24');
    expect(refusal(ipam, '10.244.2.5')).toBe('10.244.2.5 is not in 10.244.1.0/24');
    expect(refusal(ipam, '10.244.1.5', '10.244.1.6')).toMatch(/both IPv4; a pod interface has one/);
    expect(refusal(ipam, 'fd00:244:1:0:1::')).toMatch(/beyond the part of fd00:244:1::\/64 that is assigned/);
    expect(refusal(state('10.0.0.0/24'), 'fd00::5')).toBe('fd00::5: this node has no IPv6 pod range');
    expect(refusal(state())).toMatch(/no pod ranges/);
  });

  it.each([
    ['10.0.0.0/32', '10.0.0.0', []],
    ['10.0.0.4/31', '10.0.0.4', ['10.0.0.5']],
    ['10.0.0.4/30', '10.0.0.5', ['10.0.0.6']],
    ['fd00::/128', 'fd00::', []],
    ['fd00::/127', 'fd00::', ['fd00::1']],
    ['fd00::/126', 'fd00::1', ['fd00::2', 'fd00::3']],
    ['fd00::10/125', 'fd00::11', ['fd00::12', 'fd00::13', 'fd00::14', 'fd00::15', 'fd00::16', 'fd00::17']],
  ])('uses up %s: node %s, pods %j', (range, node, pods) => {
    const ipam = state(range);
    expect(formatAddress(hostAddress(parsePrefix(range)))).toBe(node);
    expect(pods.map(() => give(ipam)[0])).toEqual(pods);
    expect(refusal(ipam)).toMatch(/no free address left/);
  });

  it('never gives an address twice, out of range, or to the node', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ kind: 'give' } as const) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('ask' as const), host: fc.nat(70) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ranges = ['10.1.0.0/27', '10.2.0.8/30', 'fd00:1::/122'].map(parsePrefix);
        const ipam = emptyState(ranges);
        const held: Address[][] = [];
        const freed = new Map<string, number>();
        let now = 0;
        for (const next of steps) {
          now += REST / 8;
          endRests(ipam, now);
          if (next.kind === 'free') {
            const [given] = held.splice(next.which % Math.max(held.length, 1), 1);
            for (const address of given ?? []) {
              release(ipam, address, now);
              freed.set(formatAddress(address), now);
            }
            continue;
          }
          const wanted = next.kind === 'ask' ? [parseAddress(`10.1.0.${next.host}`)] : [];
          const result = allocate(ipam, wanted);
          if (!result.ok) continue;
          if (wanted[0]) expect(result.addresses).toContainEqual(wanted[0]);
          for (const address of result.addresses) {
            const text = formatAddress(address);
            const rested = now - (freed.get(text) ?? Number.NEGATIVE_INFINITY);
            const range = ipam.find(({ pool }) => prefixContains(pool.prefix, address));
            // Before its time only when asked for, or when all others of its range are taken or rest as well.
            const size = range ? range.pool.last - range.pool.first + 1 : 0;
            if (!wanted.some((one) => formatAddress(one) === text) && range?.busy.size !== size) {
              expect(rested).toBeGreaterThanOrEqual(REST);
            }
            expect(take(ipam, address)).toBe(true);
          }
          held.push([...result.addresses]);
          const all = held.flat().map(formatAddress);
          expect(new Set(all).size).toBe(all.length);
          for (const address of result.addresses) {
            const range = ranges.find((prefix) => prefixContains(prefix, address));
            expect(range).toBeDefined();
            if (range) expect(formatAddress(address)).not.toBe(formatAddress(hostAddress(range)));
          }
        }
        const taken = ipam.reduce((sum, pool) => sum + pool.taken.size, 0);
        expect(taken).toBe(held.flat().length);
      }),
    );
  });

  it('costs the same with 60,000 leases as with none, even when only the last address is free', () => {
    const time = (ipam: ReturnType<typeof state>) => {
      const samples = Array.from({ length: 200 }, () => {
        const start = process.hrtime.bigint();
        allocate(ipam);
        return Number(process.hrtime.bigint() - start);
      });
      return samples.sort((a, b) => a - b)[100] as number;
    };
    const ipam = state('10.244.0.0/16');
    for (let i = 0; i < 65_532; i++) give(ipam);
    release(ipam, parseAddress('10.244.1.44'), 0);
    endRests(ipam, REST);
    take(ipam, parseAddress('10.244.255.254'));
    const full = time(ipam);
    expect(give(ipam)).toEqual(['10.244.1.44']);
    // A scan of the leases would take a thousand times as long.
    expect(full).toBeLessThan(20 * time(state('10.244.0.0/16')) + 20_000);
  });
});
