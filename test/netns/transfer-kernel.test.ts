// Large transfers with the kernel's VXLAN at the other end: equal by SHA-256 whichever offloads are on.
import { afterEach, describe, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { weftAndKernel } from '../support/pods.ts';
import { dropsOf, LARGE, SMALL, setPodOffloads, transfer } from '../support/transfer.ts';

let run: Run;
afterEach(() => run?.close());

const cases = [
  { offload: 'auto', pods: ['on', 'on'], wire: true, underlay: 4, v4: LARGE, v6: LARGE },
  { offload: 'auto', pods: ['off', 'off'], wire: false, underlay: 6, v4: LARGE, v6: SMALL },
  { offload: 'off', pods: ['on', 'on'], wire: false, underlay: 4, v4: SMALL, v6: LARGE },
  { offload: 'off', pods: ['off', 'on'], wire: true, underlay: 6, v4: LARGE, v6: SMALL },
] as const;

describe.each(cases)('engine.offload $offload, pods $pods, wire $wire, over IPv$underlay', (one) => {
  it('changes and loses nothing', { timeout: 60_000 }, async () => {
    run = new Run();
    const { offload, pods, wire, underlay, v4, v6 } = one;
    const pair = await weftAndKernel(run, { wire, underlay, config: { engine: { offload } } });
    setPodOffloads(pair.here, pods[0]);
    setPodOffloads(pair.there, pods[1]);
    await transfer(pair, 4, v4);
    await transfer(pair, 6, v6);
    expect(await dropsOf(pair)).toEqual([{}]);
  });
});
