/** A column of the matrix as tests. */
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { CELLS, type Cell, type Feature } from './cells.ts';
import type { Daemon, Place } from './daemon.ts';
import { Network } from './network.ts';
import { Scenario, type Traits } from './scenario.ts';

export interface Peer {
  readonly name: string;
  make(place: Place): Daemon;
  /** What it does not have, and what shows that. */
  readonly lacks: Partial<Record<Feature, string>>;
  readonly traits: Traits;
}

export const testPeer = ({ name, make, lacks, traits }: Peer): void => {
  describe(`Weft and ${name}`, () => {
    let network: Network;
    let scenario: Scenario | undefined;
    beforeAll(async () => {
      network = new Network();
      await network.open();
    });
    afterEach(async () => {
      await scenario?.close();
      scenario = undefined;
    });
    afterAll(() => network?.close());

    for (const [feature, cell] of Object.entries(CELLS) as [Feature, Cell][]) {
      if (lacks[feature] !== undefined) continue;
      it(cell.title, async () => {
        scenario = new Scenario(network, make, traits);
        try {
          await cell.run(scenario);
        } catch (error) {
          console.error(scenario.said());
          throw error;
        }
      });
    }
  });
};
