// The node goes and comes back while a router in front of its pods goes on forwarding to them (RFC 4724).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BgpPeer } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { birdTor, DataCentre, NODE_ASN, TOR_ASN } from '../support/data-centre.ts';
import { podPrefixes, startWeft, weftConfig } from '../support/pods.ts';
import { asRouter, eventually, startBird } from '../support/routers.ts';
import { Program, ping } from '../support/traffic.ts';
import { underlayAddress } from '../support/underlay.ts';

const TOR = 10;
/** A process has to start, and its threads; nothing waits for BGP. */
const GAP_MS = 8000;

const config = {
  encap: { type: 'direct' },
  bgp: {
    ...{ asn: NODE_ASN, requirePolicy: false },
    peers: [{ name: 'tor', address: underlayAddress(TOR, 4), asn: TOR_ASN }],
  },
};

it.each([
  { signal: 'SIGTERM' },
  // Who is killed has a record of what it had learned, some seconds old at most.
  { signal: 'SIGKILL' },
] as const)('$signal', { timeout: 60_000 }, async ({ signal }) => {
  const run = new Run();
  try {
    const dc = new DataCentre(run, [1]);
    const tor = await startBird(run, dc.tor(TOR), birdTor({ n: TOR, nodes: [1] }));
    const namespace = asRouter(dc.underlay.host(1));
    const weft = await startWeft(run, dc.underlay, 1, { namespace, config });
    const pod = await weft.pod();
    await eventually(() => ping(pod.namespace, dc.serverIp(4), { count: 1 }));

    const server = new Program(dc.server, ['tcp-echo']);
    const { port } = await server.next<{ port: number }>();
    const client = new Program(pod.namespace, ['tcp-hold', dc.serverIp(4), port, 6]);
    await client.next();
    // The router's table, as it changes.
    const changes = tor.namespace.start('ip', ['monitor', 'route'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let seen = '';
    changes.stdout?.setEncoding('utf8').on('data', (text: string) => {
      seen += text;
    });

    await eventually(() => readFileSync(join(run.folderOf(namespace), 'state', 'learned-routes.json')));
    const down = performance.now();
    await weft.node.stop(signal);
    const next = await WeftNode.start(run, namespace, { config: weftConfig(1, { config }) });
    await eventually(() => ping(pod.namespace, dc.serverIp(4), { count: 1 }));
    const gap = Math.round(performance.now() - down);
    console.log(`${signal}: the pod reached the server again after ${gap} ms`);
    expect(gap).toBeLessThan(GAP_MS);
    await eventually(async () => {
      const [peer] = await next.client.get<BgpPeer[]>('bgp');
      expect(peer).toMatchObject({ state: 'established', accepted: 4, agreed: { gracefulRestart: [4, 6] } });
    });
    const { wrong, rounds } = await client.next<{ rounds: number; wrong: number }>();
    expect([wrong, rounds > 10]).toEqual([0, true]);
    expect(seen).not.toMatch(/Deleted 10\.244\.1\.0\/24/);
    expect(tor.namespace.ip(`route show ${podPrefixes(1)[0]}`)).toContain(`via ${underlayAddress(1, 4)}`);
    changes.kill('SIGKILL');
    await client.stop();
    await server.stop();
  } finally {
    await run.close();
  }
});
