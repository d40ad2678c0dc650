// Large transfers between two Weft nodes: equal by SHA-256 whichever offloads the nodes and the pods have.
import { afterEach, describe, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { weftAndWeft } from '../support/pods.ts';
import { dropsOf, LARGE, SMALL, setPodOffloads, transfer } from '../support/transfer.ts';

let run: Run;
afterEach(() => run?.close());

const cases = [
  { nodes: ['auto', 'auto'], pods: ['on', 'on'], wire: true, v4: LARGE, v6: LARGE },
  { nodes: ['off', 'auto'], pods: ['on', 'off'], wire: false, v4: SMALL, v6: LARGE },
  { nodes: ['off', 'off'], pods: ['off', 'off'], wire: true, v4: LARGE, v6: SMALL },
] as const;

describe.each(cases)('engine.offload $nodes, pods $pods, wire $wire', ({ nodes, pods, wire, v4, v6 }) => {
  it('changes and loses nothing', { timeout: 60_000 }, async () => {
    run = new Run();
    const [config, otherConfig] = nodes.map((offload) => ({ engine: { offload } }));
    const pair = await weftAndWeft(run, { wire, config, otherConfig });
    setPodOffloads(pair.here, pods[0]);
    setPodOffloads(pair.there, pods[1]);
    await transfer(pair, 4, v4);
    await transfer(pair, 6, v6);
    expect(await dropsOf(pair)).toEqual([{}, {}]);
  });
});
