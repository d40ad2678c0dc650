/**
 * The RIBs of a running speaker as an MRT file, a piece at a time: between two pieces the speaker goes on, so that a file
 * shows each prefix as it was at some moment while it was written.
 */
import type { Address } from '../../../wire/address.ts';
import type { RibPeer } from '../../rib/peer.ts';
import type { Rib, RibView } from '../../rib/rib.ts';
import type { Source } from '../downloads.ts';
import { type MrtPeer, type MrtRoute, peerIndexTable, ribEntry } from './encode.ts';

export interface DumpOptions {
  readonly view: RibView;
  /** Just what came from this peer. */
  readonly peer?: string;
  readonly routerId: Address;
  readonly asn: number;
  /** Seconds since 1970: now, and since when a peer's session has stood. */
  readonly now: number;
  since(peer: string): number;
}

/** Of a piece, and prefixes that are looked at for one: some milliseconds. */
const PIECE = 256 << 10;
const LOOKS = 4096;

export const dump = (rib: Rib, options: DumpOptions): Source => {
  const pieces = records(rib, options);
  let isOver = false;
  return {
    fetch() {
      if (isOver) return undefined;
      const parts: Uint8Array[] = [];
      let bytes = 0;
      for (let looks = 0; looks < LOOKS && bytes < PIECE && !isOver; looks++) {
        const { value, done } = pieces.next();
        if (done) isOver = true;
        else if (value !== undefined) {
          parts.push(value);
          bytes += value.length;
        }
      }
      return Buffer.concat(parts);
    },
    close: () => void pieces.return(undefined),
  };
};

/** Undefined: something was looked at that is not in it. */
function* records(
  rib: Rib,
  { view, peer: only, routerId, asn, now, since }: DumpOptions,
): Generator<Uint8Array | undefined> {
  const peers: RibPeer[] = [...rib.peers()].filter(({ name }) => only === undefined || name === only);
  // Routes of this node are nobody's: as if it were a peer of itself, at no address.
  const own: MrtPeer = { routerId, address: { family: 4, words: [0] }, asn };
  const numbers = new Map(peers.map(({ name }, i) => [name, i + 1]));
  const sinces = peers.map(({ name }) => since(name));
  yield peerIndexTable(now, routerId, view, [own, ...peers]);
  let sequence = 0;
  for (const one of rib.prefixes(view)) {
    const routes = one?.routes.flatMap(({ peer, pathId, attributes }): MrtRoute[] => {
      if (peer === undefined) return only === undefined ? [{ peer: 0, since: now, pathId, attributes }] : [];
      const number = numbers.get(peer);
      // It came up after the table was written.
      return number === undefined ? [] : [{ peer: number, since: sinces[number - 1], pathId, attributes }];
    });
    if (one === undefined || routes === undefined || routes.length === 0) {
      yield undefined;
      continue;
    }
    const entry = ribEntry(now, sequence, one.prefix, routes);
    if (entry !== undefined) sequence++;
    yield entry;
  }
}
