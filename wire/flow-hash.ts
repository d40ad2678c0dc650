// Flow hashes: the packets of a flow get one 32-bit value, flows that differ in one bit get unrelated ones. Used for ECMP,
// for the outer source port and for grouping; not keyed, so not for tables that an attacker may fill.

/** Mixes one word in, then spreads it (the multiply-xorshift step of MurmurHash3). */
const mix = (hash: number, word: number): number => {
  const k = Math.imul(word, 0xcc9e2d51);
  const h = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
};

/** MurmurHash3's finalizer: every input bit reaches every output bit. */
const finish = (hash: number): number => {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** @param ports source and destination port in one 32-bit word, 0 when there are none (fragments) */
export const flowHash4 = (source: number, destination: number, protocol: number, ports: number): number =>
  finish(mix(mix(mix(protocol, source), destination), ports));

/** Of the IPv6 packet at `offset`: addresses, protocol and ports. */
export const flowHash6 = (view: DataView, offset: number, protocol: number, ports: number): number => {
  let hash = protocol;
  for (let at = 8; at < 40; at += 4) hash = mix(hash, view.getInt32(offset + at, true));
  return finish(mix(hash, ports));
};
