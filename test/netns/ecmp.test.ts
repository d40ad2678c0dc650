// Several next hops for one prefix share its flows, and a flow stays where it is.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { startWeft } from '../support/pods.ts';
import { Underlay, underlayAddress } from '../support/underlay.ts';

const FLOWS = 64;
const EACH = 4;

let run: Run;
beforeAll(() => {
  run = new Run();
});
afterAll(() => run?.close());

it('spreads flows over both, each on one', async () => {
  const underlay = new Underlay(run);
  for (const n of [2, 3]) underlay.host(n);
  const routes = [2, 3].map((n) => ({ to: '10.99.0.0/24', via: underlayAddress(n, 4) }));
  const pod = await (await startWeft(run, underlay, 1, { routes })).pod();
  const program = `import socket,sys
for flow in range(${FLOWS}):
  s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
  for _ in range(${EACH}): s.sendto(b'x'*50,('10.99.0.%d'%(flow%8+1),5000+flow))`;
  const everyPort = { interface: 'any', direction: 'out', filter: 'udp dst port 4789' } as const;
  const taken = await capture(run, underlay.namespace, everyPort, () =>
    pod.namespace.runLater('python3', ['-c', program]),
  );
  const remotes = new Map<string, string[]>();
  for (const frame of taken.read(['ip.dst', 'udp.dstport'])) {
    const flow = frame['udp.dstport'][1];
    remotes.set(flow, [...(remotes.get(flow) ?? []), frame['ip.dst'][0]]);
  }
  expect(remotes.size).toBe(FLOWS);
  for (const [flow, seen] of remotes)
    expect([flow, seen.length, new Set(seen).size]).toEqual([flow, EACH, 1]);
  const second = [...remotes.values()].filter(([first]) => first === underlayAddress(2, 4)).length;
  // 64 flows over two: below 16 or above 48 happens once in 20,000 runs.
  expect(second).toBeGreaterThanOrEqual(16);
  expect(second).toBeLessThanOrEqual(48);
});
