/**
 * A process of its own with many BGP peers of one node, all with the same routes: `peers.js '{"remote":…,"locals":[…]}'`. Says
 * {"ready":true} when all sessions are up and everything is sent, and stays.
 */
import { parseAddress } from '../../wire/address.ts';
import { BarePeer } from '../bgp/bare-peer.ts';
import { announcements } from '../bgp/feed.ts';

export interface PeersOptions {
  readonly remote: string;
  readonly port: number;
  /** Seconds. */
  readonly holdTime: number;
  readonly locals: readonly string[];
  /** Of the first; the next have the next. */
  readonly firstAsn: number;
  readonly routes: number;
}

const { locals, firstAsn, routes, ...speaker } = JSON.parse(process.argv[2]) as PeersOptions;
const fail = (error: Error): never => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
};

async function follow(local: string, asn: number): Promise<void> {
  const peer = await BarePeer.open({ ...speaker, local, asn, onMessage: () => {} }, fail);
  const feed = { routes, perMessage: routes, attributeSets: 1 };
  await peer.feed(announcements(feed, asn, parseAddress(local).words[0]));
}

await Promise.all(locals.map((local, i) => follow(local, firstAsn + i))).catch(fail);
process.stdout.write('{"ready":true}\n');
