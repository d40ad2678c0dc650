// Each offload left out on one node, and alone on the other: none depends on another, and two nodes need not agree.
import { afterEach, describe, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { weftAndWeft } from '../support/pods.ts';
import { dropsOf, SMALL, transfer } from '../support/transfer.ts';

let run: Run;
afterEach(() => run?.close());

const ALL = [
  'checksum',
  'segmentation',
  'udpSegmentation',
  'udpSegment',
  'tunnelSegmentation',
  'udpGro',
  'batchedReads',
  'coalesce',
];
/** The kernel segments only what it may leave without checksum. */
const ON_CHECKSUM = ['segmentation', 'udpSegmentation'];

describe.each(ALL)('%s', (name) => {
  it('off here, alone there', { timeout: 60_000 }, async () => {
    run = new Run();
    const offloads = (on: (one: string) => boolean) => ({
      engine: { offload: Object.fromEntries(ALL.map((one) => [one, on(one)])) },
    });
    const pair = await weftAndWeft(run, {
      config: offloads((one) => one !== name),
      otherConfig: offloads((one) => one === name || (one === 'checksum' && ON_CHECKSUM.includes(name))),
    });
    const { offload } = await pair.weft.node.client.get<Status>('status');
    expect(offload[name]).toEqual({ on: false, why: 'engine.offload' });
    await transfer(pair, 4, SMALL);
    await transfer(pair, 6, SMALL);
    expect(await dropsOf(pair)).toEqual([{}, {}]);
  });
});
