// Pods that go away by themselves, routes that change while traffic flows, one worker and two.

import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod as PodView, Status } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { drops, routesTo, startWeft, weftAndWeft, weftConfig } from '../support/pods.ts';
import { exchangeTcp, Program, ping } from '../support/traffic.ts';
import { Underlay } from '../support/underlay.ts';

let run: Run;
beforeEach(() => {
  run = new Run();
});
afterEach(() => run?.close());

async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  milliseconds: number,
): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('frees the port and the addresses of a pod whose namespace is deleted', async () => {
  const { node } = await startWeft(run, new Underlay(run), 1);
  const pod = run.namespace('gone');
  const { ips } = await node.attach(pod, 'gone', ['10.244.1.9']);
  pod.delete();
  const pods = async () => (await node.client.get<PodView[]>('pods')).length === 0;
  await eventually('the pod to be noticed', pods, 2000);
  const next = run.namespace('next');
  expect((await node.attach(next, 'next', ['10.244.1.9'])).ips[0]).toBe(ips[0]);
  await ping(node.namespace, '10.244.1.9');
});

it('changes routes on SIGHUP without loss for the others', async () => {
  const { weft, here, there } = await weftAndWeft(run);
  const server = new Program(there.namespace, ['udp-echo']);
  const { port } = await server.next<{ port: number }>();
  const sizes = Array.from({ length: 3000 }, () => 200);
  const client = new Program(here.namespace, ['udp-sizes', there.ip(4), port, 'df', ...sizes]);
  const before = await weft.node.client.get<Status>('status');
  for (const node of [3, 4, 5]) {
    const routes = [...routesTo(4, { node: 2 }), ...routesTo(4, { node })];
    const { state, api } = {
      state: `${run.folder}/${weft.node.namespace.name}/state`,
      api: { socket: weft.node.socket },
    };
    writeFileSync(weft.node.configFile, JSON.stringify({ ...weftConfig(1, { routes }), state, api }));
    weft.node.process.kill('SIGHUP');
    const [to] = [`10.244.${node}.0/24`];
    const routed = async () =>
      (await weft.node.client.get<{ prefix: string }[]>('routes')).some(({ prefix }) => prefix === to);
    await eventually(`the route to ${to}`, routed, 5000);
  }
  expect(await client.next()).toEqual({ wrong: [], tried: sizes.length });
  await server.stop();
  const after = await weft.node.client.get<Status>('status');
  expect([after.pid, after.routes]).toEqual([before.pid, before.routes + 2]);
  expect(await drops(weft.node)).toEqual({});
});

describe.each([1, 2])('%d workers', (workers) => {
  it('forward, and say which offloads they use', async () => {
    const { weft, here, there } = await weftAndWeft(run, { config: { engine: { workers } } });
    const status = await weft.node.client.get<Status>('status');
    expect(status.workers).toBe(workers);
    expect(Object.keys(status.offload).sort()).toEqual(
      [
        'batchedReads',
        'checksum',
        'coalesce',
        'segmentation',
        'tunnelSegmentation',
        'udpGro',
        'udpSegment',
        'udpSegmentation',
      ].sort(),
    );
    for (const family of [4, 6] as const) await exchangeTcp(here, there, family, 8 << 20);
    expect(await drops(weft.node)).toEqual({});
  });
});
