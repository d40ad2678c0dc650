// The daemon goes and comes back while pods live on: their interfaces, addresses and connections survive it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { type Pair, routesTo, weftAndWeft, weftConfig } from '../support/pods.ts';
import { Program, ping } from '../support/traffic.ts';

/** How long pods may be without a forwarder: the start of a process, and its worker threads. */
const TAKEOVER_MS = 10_000;

describe.each(['SIGTERM', 'SIGKILL'] as const)('%s', (signal) => {
  let run: Run;
  let pair: Pair;
  beforeAll(async () => {
    run = new Run();
    pair = await weftAndWeft(run);
  });
  afterAll(() => run?.close());

  it('leaves a connection between pods open, and takes the pods over', { timeout: 60_000 }, async () => {
    const { weft, here, there } = pair;
    const server = new Program(there.namespace, ['tcp-echo']);
    const { port } = await server.next<{ port: number }>();
    const client = new Program(here.namespace, ['tcp-hold', there.ip(4), port, 6]);
    await client.next();

    await weft.node.stop(signal);
    const down = performance.now();
    const next = await WeftNode.start(run, weft.node.namespace, {
      config: weftConfig(1, { routes: routesTo(4, { node: 2 }) }),
    });
    await ping(here.namespace, there.ip(4), { count: 1 });
    const took = performance.now() - down;
    console.log(`${signal}: pods forwarded for again after ${Math.round(took)} ms`);
    expect(took).toBeLessThan(TAKEOVER_MS);

    const { rounds, wrong } = await client.next<{ rounds: number; wrong: number }>();
    expect(wrong).toBe(0);
    expect(rounds).toBeGreaterThan(10);
    await server.stop();
    await client.stop();
    for (const family of [4, 6] as const) await ping(there.namespace, here.ip(family));
    const { pods } = await next.client.get<Status>('status');
    expect(pods).toBe(1);
  });
});
