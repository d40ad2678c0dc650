import { describe, expect, it } from 'vitest';
import { fibSync } from '../../routing/fib-sync.ts';
import type { Path } from '../../routing/path.ts';
import { type RouteSource, RouteTable } from '../../routing/route-table.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../wire/prefix.ts';

function recorded(learnedIntoKernel = true) {
  const calls: string[] = [];
  const sync = fibSync(
    {
      batch: (work) => work(),
      setRoute: (prefix, paths) => calls.push(`fib ${formatPrefix(prefix)} ${paths.map(({ kind }) => kind)}`),
      removeRoute: (prefix) => calls.push(`fib ${formatPrefix(prefix)} -`),
    },
    {
      batch: (work) => {
        work();
        calls.push('kernel batch');
      },
      async batchInBackground(work) {
        this.batch(work);
      },
      set: (prefix, path) => {
        const where =
          path.kind === 'underlay' ? path.vias.map(({ address }) => formatAddress(address)) : 'fabric';
        calls.push(`kernel ${formatPrefix(prefix)} ${where} ${path.mtu}${path.learned ? ' learned' : ''}`);
      },
      remove: (prefix) => calls.push(`kernel ${formatPrefix(prefix)} -`),
    },
    () => learnedIntoKernel,
  );
  const table = new RouteTable(sync.listener);
  const set = (to: string, source: RouteSource, ...paths: Path[]) => {
    calls.length = 0;
    table.set(parsePrefix(to), { source, paths });
    return calls;
  };
  return { table, sync, calls, set };
}

const direct = (via: string, mtu = 1500): Path => ({ kind: 'direct', via: parseAddress(via), mtu });
const ipip = (via: string, mtu = 1480): Path => ({ kind: 'ipip', via: parseAddress(via), mtu });

describe('fibSync', () => {
  it('gives the kernel what leads to other nodes, with the smallest MTU of the paths', () => {
    const { set } = recorded();
    expect(set('10.2.0.0/16', 'static', ipip('192.0.2.2'), ipip('192.0.2.3', 1400))).toEqual([
      'fib 10.2.0.0/16 ipip,ipip',
      'kernel 10.2.0.0/16 fabric 1400',
    ]);
    expect(set('10.3.0.0/16', 'static', direct('192.0.2.3'))[0]).toBe('kernel 10.3.0.0/16 192.0.2.3 1500');
  });

  it('keeps from the kernel local routes, the node itself, and default routes into the fabric', () => {
    const { set } = recorded();
    const removed = (to: string) => `kernel ${to} -`;
    expect(set('10.1.0.2/32', 'local', { kind: 'port', port: 3 })).toContain(removed('10.1.0.2/32'));
    expect(set('10.1.0.0/24', 'local', { kind: 'unreachable' })).toContain(removed('10.1.0.0/24'));
    expect(set('0.0.0.0/0', 'host', { kind: 'port', port: 0 })).toContain(removed('0.0.0.0/0'));
    expect(set('::/0', 'static', ipip('192.0.2.2'))).toContain(removed('::/0'));
  });

  it('gives the kernel learned routes behind others, those through tunnels where asked, and a default route to a router', () => {
    const { set } = recorded();
    expect(set('10.2.0.0/16', 'bgp', ipip('192.0.2.2'))[1]).toBe('kernel 10.2.0.0/16 fabric 1480 learned');
    expect(set('0.0.0.0/0', 'bgp', direct('192.0.2.1'), direct('192.0.2.3'))[0]).toBe(
      'kernel 0.0.0.0/0 192.0.2.1,192.0.2.3 1500 learned',
    );
    const without = recorded(false);
    expect(without.set('10.2.0.0/16', 'bgp', ipip('192.0.2.2'))).toContain('kernel 10.2.0.0/16 -');
    expect(without.set('10.2.0.0/16', 'bgp', direct('192.0.2.2'))[0]).toMatch(/192\.0\.2\.2/);
    expect(without.set('10.3.0.0/16', 'static', ipip('192.0.2.2'))[1]).toBe('kernel 10.3.0.0/16 fabric 1480');
  });

  it('hands over what changes together as one', () => {
    const { sync, table, calls } = recorded();
    sync.batch(() => {
      for (const to of ['10.2.0.0/16', '10.3.0.0/16'])
        table.set(parsePrefix(to), { source: 'bgp', paths: [ipip('192.0.2.2')] });
    });
    expect(calls).toHaveLength(5);
    expect(calls.at(-1)).toBe('kernel batch');
  });

  it('never lets the kernel send back what the engine gives it: a direct path is in the kernel first', () => {
    const { set } = recorded();
    set('10.2.0.0/16', 'static', ipip('192.0.2.2'));
    expect(set('10.2.0.0/16', 'static', direct('192.0.2.2'))).toEqual([
      'kernel 10.2.0.0/16 192.0.2.2 1500',
      'fib 10.2.0.0/16 direct',
    ]);
    expect(set('10.2.0.0/16', 'static', ipip('192.0.2.2'))).toEqual([
      'fib 10.2.0.0/16 ipip',
      'kernel 10.2.0.0/16 fabric 1480',
    ]);
  });

  it('removes from both', () => {
    const { table, calls, set } = recorded();
    set('10.2.0.0/16', 'static', direct('192.0.2.2'));
    calls.length = 0;
    table.remove(parsePrefix('10.2.0.0/16'), 'static');
    expect(calls).toEqual(['fib 10.2.0.0/16 -', 'kernel 10.2.0.0/16 -']);
  });
});
