/** A column of the matrix as tests. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CELLS, type Cell, type Feature } from './cells.ts';
import type { Peer } from './columns.ts';
import { KEEPALIVE, NOTIFICATION, OPEN, ROUTE_REFRESH, readMessages, UPDATE } from './messages.ts';
import { Network } from './network.ts';
import { Scenario } from './scenario.ts';

export const testPeer = ({ name, make, lacks, traits }: Peer): void => {
  describe(`Weft and ${name}`, () => {
    let network: Network;
    let scenario: Scenario | undefined;
    let sent = 0;
    beforeAll(async () => {
      network = new Network();
      await network.open();
    });
    afterEach(async () => {
      await scenario?.close();
      sent += scenario?.routeMessagesSent ?? 0;
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

    it('all that Weft has sent is read by tshark without a complaint', async () => {
      const captured = await network.captured();
      const { messages, complaints } = readMessages(captured, network.macOfWeft());
      expect(complaints).toEqual([]);
      const routes = messages.filter((type) => type === UPDATE || type === ROUTE_REFRESH);
      expect(routes.length).toBeGreaterThanOrEqual(sent);
      for (const type of [OPEN, UPDATE, NOTIFICATION, KEEPALIVE]) expect(messages).toContain(type);
    });
  });
};
