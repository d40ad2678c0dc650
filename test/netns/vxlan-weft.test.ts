// VXLAN between two Weft nodes that know nothing of each other but their addresses.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { drops, type Pair, weftAndWeft } from '../support/pods.ts';
import { echoUdp, exchangeTcp, ping } from '../support/traffic.ts';
import type { Family } from '../support/underlay.ts';

const FAMILIES: Family[] = [4, 6];

describe.each(FAMILIES)('over IPv%d', (outer) => {
  let run: Run;
  let pair: Pair;

  beforeAll(async () => {
    run = new Run();
    pair = await weftAndWeft(run, { underlay: outer });
  });
  afterAll(() => run?.close());

  it.each(FAMILIES)('carries ICMP, TCP and UDP of IPv%d', async (inner) => {
    const { here, there } = pair;
    await ping(here.namespace, there.ip(inner));
    await exchangeTcp(here, there, inner, 16 << 20);
    await exchangeTcp(there, here, inner, 4 << 20);
    await echoUdp(here, there, inner, [0, 1, 2, 3, 500, 1381, 1382, 1402, 1403, 1422, 1423, 4000, 65507]);
  });

  it.each(FAMILIES)('lets pods of one node reach each other by IPv%d', async (inner) => {
    const { here, weft } = pair;
    const next = await weft.pod();
    await ping(here.namespace, next.ip(inner));
    await exchangeTcp(here, next, inner, 4 << 20);
    await echoUdp(next, here, inner, [0, 1, 1400, 1450, 9000]);
  });

  it('has counted both ways, and dropped nothing', async () => {
    const { weft, other } = pair;
    for (const node of [weft.node, other?.node ?? weft.node]) {
      const [tunnel] = await node.client.get<{ rx: { bytes: number }; tx: { bytes: number } }[]>('tunnels');
      expect(tunnel.rx.bytes).toBeGreaterThan(40_000_000);
      expect(tunnel.tx.bytes).toBeGreaterThan(40_000_000);
      expect(await drops(node)).toEqual({});
    }
  });
});
