// A thousand peers of one speaker on a clock that jumps: connections that cross, break and go silent, peers that restart
// with and without a word. In the end every session stands and everybody knows the same.
import { expect, it } from 'vitest';
import { Network, type SimSpeaker } from '../../support/bgp-network.ts';

const PEERS = 1000;
/** So many of them announce something. */
const ANNOUNCING = 50;
const HUB = '10.255.0.1';
const HUB_ASN = 65000;

const asnOf = (n: number): number => 4_200_000_000 + n;
const addressOf = (n: number): string => `10.0.${n >> 8}.${n & 255}`;
const prefixOf = (n: number): string => `10.${128 + (n >> 8)}.${n & 255}.0/24`;

const start = (network: Network, n: number, restarting = false): SimSpeaker => {
  const spoke = network.speaker(addressOf(n), asnOf(n), { restarting });
  spoke.peer(HUB, HUB_ASN, { holdTime: 30 + (n % 3) * 30 });
  if (n < ANNOUNCING) spoke.originate(prefixOf(n));
  return spoke;
};

it('of crossing connections, flaps, silence and restarts nothing is left in the end', () => {
  const network = new Network(20_261_126);
  const hub = network.speaker(HUB, HUB_ASN);
  const spokes: SimSpeaker[] = [];
  for (let n = 0; n < PEERS; n++) {
    // Every third waits to be connected to; with the others connections cross.
    hub.peer(addressOf(n), asnOf(n), { passive: n % 3 === 0, holdTime: 90 });
    spokes.push(start(network, n));
  }
  const down = (): number => [...hub.peers.values()].filter(({ isUp }) => !isUp).length;
  network.until(() => down() === 0);
  const collided = [...hub.peers.values()].filter(({ session }) => session.counters.sent.open > 1).length;
  expect(collided).toBeGreaterThan(PEERS / 3);

  const any = (): number => Math.floor(network.random() * PEERS);
  let happened = 0;
  for (let round = 0; round < 300; round++) {
    const n = any();
    const address = addressOf(n);
    happened++;
    switch (round % 5) {
      case 0:
        network.cut(HUB, address);
        break;
      case 1: // Nothing comes any more from it; the hold timer tells, and then it is there again.
        network.silent.add(`${address} ${HUB}`);
        network.at(network.now + 100_000, () => {
          network.silent.delete(`${address} ${HUB}`);
          // What was lost meanwhile no TCP would forget.
          network.cut(HUB, address);
        });
        break;
      case 2:
        spokes[n].crash();
        network.at(network.now + 1000 * network.random(), () => {
          spokes[n] = start(network, n, true);
        });
        break;
      case 3:
        hub.peers.get(address)?.reset(4, 'tried by a test');
        break;
      default:
        spokes[n].withdraw(prefixOf(n % ANNOUNCING));
        spokes[n].originate(prefixOf(n % ANNOUNCING), { med: round });
    }
    network.run(0.2 * network.random());
  }
  expect(happened).toBe(300);
  network.run(400);
  expect(down()).toBe(0);
  expect(spokes.filter(({ peers }) => ![...peers.values()].every(({ isUp }) => isUp))).toEqual([]);

  const known = [...hub.best.keys()].sort();
  expect(known.length).toBeGreaterThanOrEqual(ANNOUNCING);
  for (const spoke of spokes) {
    expect([...spoke.best.keys()].sort()).toEqual(known);
    expect(spoke.heard(HUB)).toEqual(hub.said(spoke.text));
    expect(hub.heard(spoke.text)).toEqual(spoke.said(HUB));
  }
  const stale = [hub, ...spokes].flatMap(({ text, routes }) =>
    routes.filter((route) => !route.endsWith(' fresh')).map((route) => `${text}: ${route}`),
  );
  expect(stale).toEqual([]);
  expect(hub.rib.audit()).toEqual([]);
}, 60_000);
