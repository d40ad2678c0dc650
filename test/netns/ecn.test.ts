// DSCP and ECN through a tunnel (RFC 2983, RFC 6040): copied out, and congestion marked on the way comes in.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { drops, type Pair, weftAndWeft } from '../support/pods.ts';
import { ping } from '../support/traffic.ts';
import { portName } from '../support/underlay.ts';

let run: Run;
let pair: Pair;
beforeAll(async () => {
  run = new Run();
  pair = await weftAndWeft(run);
});
afterAll(() => run?.close());

it.each([4, 6] as const)('copies DSCP and ECN of IPv%d to the outer header', async (family) => {
  const { underlay, here, there } = pair;
  for (const tos of [0, 0xb8, 0x02, 0x2a]) {
    const out = { interface: portName(2), direction: 'out', filter: 'udp port 4789' } as const;
    const taken = await capture(run, underlay.namespace, out, () =>
      ping(here.namespace, there.ip(family), { count: 1, args: ['-Q', String(tos)] }),
    );
    const type = family === 4 ? 'icmp.type' : 'icmpv6.type';
    const [request] = taken
      .read(['ip.dsfield', type])
      .filter((one) => one[type][0] === (family === 4 ? '8' : '128'));
    expect(Number(request['ip.dsfield'][0])).toBe(tos);
  }
});

it('brings a congestion mark of the way in, and drops it where the packet cannot carry it', async () => {
  const { underlay, here, there, other } = pair;
  underlay.namespace.run('nft', 'add table netdev congested');
  underlay.namespace.run(
    'nft',
    `add chain netdev congested in { type filter hook ingress device ${portName(1)} priority 0 ; }`,
  );
  underlay.namespace.run('nft', 'add rule netdev congested in udp dport 4789 ip ecn set ce');
  try {
    const taken = await capture(
      run,
      there.namespace,
      { interface: 'eth0', direction: 'in', filter: 'icmp' },
      () => ping(here.namespace, there.ip(4), { args: ['-Q', '2'] }),
    );
    const marks = taken.read(['ip.dsfield.ecn', 'icmp.type']).filter((one) => one['icmp.type'][0] === '8');
    expect(marks.map((one) => one['ip.dsfield.ecn'][0])).toEqual(['3', '3', '3']);
    const lost = ping(here.namespace, there.ip(4), { count: 1, args: ['-W', '1'] });
    await expect(lost).rejects.toThrow();
    expect(await drops(other?.node ?? pair.weft.node)).toEqual({ ecn: 1 });
  } finally {
    underlay.namespace.run('nft', 'delete table netdev congested');
  }
});
