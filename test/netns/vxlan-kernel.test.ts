// VXLAN with the kernel's own device at the other end: every inner family over every outer one, on a VNI and a port of
// our choosing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { drops, type Pair, weftAndKernel } from '../support/pods.ts';
import { echoUdp, exchangeTcp, ping } from '../support/traffic.ts';
import type { Family } from '../support/underlay.ts';

const FAMILIES: Family[] = [4, 6];

describe.each(FAMILIES)('over IPv%d', (outer) => {
  const mtu = outer === 4 ? 1450 : 1430;
  let run: Run;
  let pair: Pair;

  beforeAll(async () => {
    run = new Run();
    pair = await weftAndKernel(run, { underlay: outer, vni: 0xabcdef, port: 8472 });
  });
  afterAll(() => run?.close());

  it('says what the other end has to know', async () => {
    const { vtep, mtu: forPods } = await pair.weft.node.client.get<Status>('status');
    expect([vtep.vni, vtep.port, forPods]).toEqual([0xabcdef, 8472, mtu]);
  });

  describe.each(FAMILIES)('inner IPv%d', (inner) => {
    it('pings both ways, up to the MTU', async () => {
      const { here, there } = pair;
      await ping(here.namespace, there.ip(inner));
      await ping(there.namespace, here.ip(inner));
      const largest = ['-M', 'do', '-s', String(mtu - (inner === 4 ? 28 : 48))];
      await ping(here.namespace, there.ip(inner), { args: largest });
    });

    it('carries TCP both ways', async () => {
      const { here, there } = pair;
      await exchangeTcp(here, there, inner, 8 << 20);
      await exchangeTcp(there, here, inner, 8 << 20);
    });

    it('carries datagrams of every size, and fragments of larger ones', async () => {
      const { here, there } = pair;
      const upToMtu = Array.from({ length: mtu - 28 + 1 }, (_, size) => size);
      const beyond = [mtu - 27, mtu, 2 * mtu, 8972, 65507];
      const small = upToMtu.filter((size) => size < 70 || size % 13 === 0);
      await echoUdp(here, there, inner, [...small, ...beyond]);
      await echoUdp(there, here, inner, [...upToMtu.slice(-70), ...beyond]);
    });
  });

  it('has dropped nothing', async () => {
    expect(await drops(pair.weft.node)).toEqual({});
  });
});
