// kill -9 at random moments while pods are attached and detached: nothing that was confirmed is lost, no address is given
// twice, and what the next daemon finds it either serves or clears away.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pod as PodView } from '../../control/service.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { weftConfig } from '../support/pods.ts';
import { ping } from '../support/traffic.ts';
import { Underlay } from '../support/underlay.ts';

const ROUNDS = 25;
const PODS = 4;

let run: Run;
let node: Namespace;
beforeAll(() => {
  run = new Run();
  node = new Underlay(run).host(1);
});
afterAll(() => run?.close());

it(`survives ${ROUNDS} kills`, { timeout: 180_000 }, async () => {
  const pods = Array.from({ length: PODS }, (_, n) => ({ id: `p${n}`, namespace: run.namespace(`p${n}`) }));
  /** Confirmed: id to addresses. What was under way at a kill is either way, and left out. */
  const known = new Map<string, readonly string[]>();
  let unsure = new Set<string>();
  let cut = 0;
  let done = 0;
  /** How long a round of changes takes on this machine: a kill falls anywhere inside it. */
  let span = 100;

  for (let round = 0; round < ROUNDS; round++) {
    const weft = await WeftNode.start(run, node, { config: weftConfig(1) });
    const found = await weft.client.get<PodView[]>('pods');
    const addresses = found.flatMap(({ ips }) => ips);
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const [id, ips] of known) {
      expect(found.find((one) => one.id === id)).toMatchObject({ id, ips, state: 'forwarding' });
    }
    for (const { id } of found) expect(known.has(id) || unsure.has(id)).toBe(true);
    for (const { id, ips } of found) {
      known.set(id, ips);
      await ping(node, ips[0].split('/')[0], { count: 1 });
    }
    for (const { id, namespace } of pods.filter((one) => !known.has(one.id)))
      expect(`${id}: ${namespace.run('ip', '-o', 'link')}`).not.toContain(' eth0:');

    unsure = new Set();
    const kill = new Promise<void>((resolve) =>
      setTimeout(() => weft.stop('SIGKILL').then(() => resolve()), Math.random() * span),
    );
    const began = performance.now();
    const changes = pods.map(async ({ id, namespace }) => {
      const before = known.get(id);
      known.delete(id);
      unsure.add(id);
      try {
        if (before) await weft.client.post('detach', { id, ifname: 'eth0' });
        else known.set(id, (await weft.attach(namespace, id)).ips);
        unsure.delete(id);
        done++;
        span = Math.max(span, 1.5 * (performance.now() - began));
      } catch {
        cut++;
      }
    });
    await Promise.all([kill, ...changes]);
  }
  // Otherwise the kills came all too late or all too early, and meant nothing.
  expect(cut).toBeGreaterThan(0);
  expect(done).toBeGreaterThan(0);
});
