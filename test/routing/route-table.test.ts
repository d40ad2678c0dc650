import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../../routing/path.ts';
import {
  type Candidate,
  keyOf,
  type PrefixKey,
  type RouteSource,
  RouteTable,
} from '../../routing/route-table.ts';
import { parseAddress } from '../../wire/address.ts';
import { formatPrefix, parsePrefix, prefixContains } from '../../wire/prefix.ts';

const to = (port: number): Path => ({ kind: 'port', port });
const candidate = (source: RouteSource, port: number): Candidate => ({ source, paths: [to(port)] });

function recorded() {
  const changes: string[] = [];
  const table = new RouteTable((prefix, best) => {
    changes.push(`${formatPrefix(prefix)} ${best ? `${best.source} ${JSON.stringify(best.paths)}` : 'gone'}`);
  });
  return { table, changes };
}

const prefix = parsePrefix('10.1.0.0/16');

describe('RouteTable', () => {
  it('prefers local to host to static to bgp', () => {
    const { table } = recorded();
    for (const source of ['bgp', 'static', 'host', 'local'] as const) {
      table.set(prefix, candidate(source, 1));
      expect(table.get(prefix)?.candidates[0]?.source).toBe(source);
    }
    for (const next of ['host', 'static', 'bgp'] as const) {
      const best = table.get(prefix)?.candidates[0];
      if (best) table.remove(prefix, best.source);
      expect(table.get(prefix)?.candidates[0]?.source).toBe(next);
    }
    table.remove(prefix, 'bgp');
    expect(table.get(prefix)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it('prefers anything to a last resort', () => {
    const { table } = recorded();
    table.set(prefix, { ...candidate('host', 1), lastResort: true });
    table.set(prefix, candidate('bgp', 2));
    expect(table.get(prefix)?.candidates.map(({ source }) => source)).toEqual(['bgp', 'host']);
  });

  it('tells of changes of the best only', () => {
    const { table, changes } = recorded();
    table.set(prefix, candidate('static', 1));
    table.set(prefix, candidate('static', 1));
    table.set(prefix, candidate('bgp', 2));
    table.set(prefix, candidate('static', 3));
    table.remove(prefix, 'local');
    table.remove(prefix, 'bgp');
    table.remove(prefix, 'static');
    expect(changes).toEqual([
      '10.1.0.0/16 static [{"kind":"port","port":1}]',
      '10.1.0.0/16 static [{"kind":"port","port":3}]',
      '10.1.0.0/16 gone',
    ]);
  });

  it('passes on what the listener throws, and then has changed nothing', () => {
    let full = true;
    const table = new RouteTable(() => {
      if (full) throw new Error('next hops used up');
    });
    expect(() => table.set(prefix, candidate('static', 1))).toThrow('next hops used up');
    expect(table.get(prefix)).toBeUndefined();
    full = false;
    table.set(prefix, candidate('static', 1));
    full = true;
    expect(() => table.remove(prefix, 'static')).toThrow('next hops used up');
    expect(table.get(prefix)).toBeDefined();
  });

  it('refuses a route without a path', () => {
    expect(() => recorded().table.set(prefix, { source: 'static', paths: [] })).toThrow(
      /10\.1\.0\.0\/16.*path/,
    );
  });

  it('agrees with a linear table: best, what the listener was told, and the longest match', () => {
    const length = fc.integer({ min: 0, max: 32 });
    const prefixes = fc.tuple(fc.integer({ min: 0, max: 15 }), length).map(([bits, len]) => {
      const word = len === 0 ? 0 : (((bits << 28) | (bits << 3)) & (0xffffffff << (32 - len))) >>> 0;
      return { address: { family: 4 as const, words: [word] }, length: len };
    });
    const sources = fc.constantFrom<RouteSource>('local', 'host', 'static', 'bgp');
    const step = fc.tuple(fc.boolean(), prefixes, sources, fc.nat(3));
    const order: RouteSource[] = ['local', 'host', 'static', 'bgp'];
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 0, max: 15 }), (steps, bits) => {
        const told = new Map<PrefixKey, number>();
        const table = new RouteTable((changed, best) => {
          const path = best?.paths[0];
          if (path?.kind === 'port') told.set(keyOf(changed), path.port);
          else told.delete(keyOf(changed));
        });
        const plain = new Map<PrefixKey, Map<RouteSource, number>>();
        const byKey = new Map(steps.map(([, p]) => [keyOf(p), p]));
        for (const [add, p, source, port] of steps) {
          const sourcesOf = plain.get(keyOf(p)) ?? new Map<RouteSource, number>();
          plain.set(keyOf(p), sourcesOf);
          if (add) {
            table.set(p, candidate(source, port));
            sourcesOf.set(source, port);
          } else {
            table.remove(p, source);
            sourcesOf.delete(source);
          }
        }
        const best = (key: PrefixKey) => {
          const source = order.find((name) => plain.get(key)?.has(name));
          return source && plain.get(key)?.get(source);
        };
        for (const key of byKey.keys()) expect(told.get(key)).toBe(best(key));
        const address = { family: 4 as const, words: [((bits << 28) | (bits << 3)) >>> 0] };
        const longest = [...byKey]
          .filter(([key, p]) => best(key) !== undefined && prefixContains(p, address))
          .sort(([, a], [, b]) => b.length - a.length)[0];
        expect(table.lookup(address)?.prefix).toEqual(longest?.[1]);
      }),
    );
  });

  it('finds the longest match in IPv6 across word boundaries', () => {
    const { table } = recorded();
    for (const text of ['::/0', 'fd00::/31', 'fd00::/32', 'fd00:0:1::/48', 'fd00:0:1::5/128']) {
      table.set(parsePrefix(text), candidate('static', 1));
    }
    const found = (text: string) => {
      const route = table.lookup(parseAddress(text));
      return route && formatPrefix(route.prefix);
    };
    expect(found('fd00:0:1::5')).toBe('fd00:0:1::5/128');
    expect(found('fd00:0:1::6')).toBe('fd00:0:1::/48');
    expect(found('fd00:0:2::6')).toBe('fd00::/32');
    expect(found('fd00:1::')).toBe('fd00::/31');
    expect(found('2001:db8::')).toBe('::/0');
    expect(table.lookup(parseAddress('10.0.0.1'))).toBeUndefined();
  });
});
