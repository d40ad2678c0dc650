// The node's own port: node and pods reach each other, pods reach the outside under the node's address.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { podAddress, startWeft } from '../support/pods.ts';
import { ping } from '../support/traffic.ts';
import { portName, Underlay, underlayAddress } from '../support/underlay.ts';

const FAMILIES = [4, 6] as const;

let run: Run;
let underlay: Underlay;
beforeEach(() => {
  run = new Run();
  underlay = new Underlay(run);
});
afterEach(() => run?.close());

it('lets node and pods reach each other', async () => {
  const weft = await startWeft(run, underlay, 1);
  const pod = await weft.pod();
  for (const family of FAMILIES) {
    await ping(weft.node.namespace, pod.ip(family));
    await ping(pod.namespace, podAddress(1, 1, family));
    await ping(pod.namespace, underlayAddress(1, family));
  }
});

it.each([true, false])('natOutgoing %s', async (natOutgoing) => {
  const outside = underlay.host(9);
  const weft = await startWeft(run, underlay, 1, { config: { host: { natOutgoing } } });
  const pod = await weft.pod();
  const out = { interface: portName(9), direction: 'out', filter: 'icmp or icmp6' } as const;
  const taken = await capture(run, underlay.namespace, out, async () => {
    for (const family of FAMILIES) {
      const asked = ping(pod.namespace, underlayAddress(9, family), { count: 1, args: ['-W', '1'] });
      // Without masquerading the outside has no way back to a pod.
      if (natOutgoing) await asked;
      else await expect(asked).rejects.toThrow();
    }
  });
  const frames = taken.read(['ip.src', 'ipv6.src', 'icmp.type', 'icmpv6.type']);
  const sources = frames
    .filter((one) => one['icmp.type'][0] === '8' || one['icmpv6.type'][0] === '128')
    .flatMap((one) => [...one['ip.src'], ...one['ipv6.src']]);
  expect(sources).toEqual(
    FAMILIES.map((family) => (natOutgoing ? underlayAddress(1, family) : pod.ip(family))),
  );
  expect(outside.run('ip', 'route')).not.toContain('10.244.');
});

it('leaves the tables of others alone', async () => {
  const namespace = underlay.host(1);
  namespace.run('nft', 'add table inet foreign');
  namespace.run('nft', 'add chain inet foreign in { type filter hook input priority 0 ; }');
  namespace.run('nft', 'add rule inet foreign in tcp dport 9 drop');
  const before = namespace.run('nft', 'list', 'table', 'inet', 'foreign');
  const weft = await startWeft(run, underlay, 1, { namespace, config: { host: { natOutgoing: true } } });
  const tables = () => namespace.run('nft', 'list', 'tables').trim().split('\n').sort();
  expect(tables()).toEqual(['table inet foreign', 'table inet weft_nat_weft0']);
  expect(await weft.node.stop('SIGTERM')).toBe(0);
  expect(tables()).toEqual(['table inet foreign']);
  expect(namespace.run('nft', 'list', 'table', 'inet', 'foreign')).toBe(before);
});
