// Remotes: the underlay addresses that routes name as tunnel end points, and which VNIs each may use. A hash table of
// chains that readers walk without locks: a row is linked in when it is complete, and when it is unlinked it keeps its
// own link until every worker has let go of it.

import { Limits } from './limits.ts';

const HEADS = 16384;
const ROW = 16;
const ADDRESS = 0; // 4 words
const NEXT = 4;
const VNI_COUNT = 5;
const VNIS = 6;
/** VNIs that one remote can use at a time. */
export const VNIS_PER_REMOTE = ROW - VNIS;

export const REMOTE_WORDS = HEADS + Limits.remotes * ROW;

const row = (id: number): number => HEADS + id * ROW;

const headOf = (w0: number, w1: number, w2: number, w3: number): number => {
  let h = Math.imul(w0 ^ Math.imul(w1, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(w2, 0xc2b2ae35) ^ w3;
  h = Math.imul(h ^ (h >>> 15), 0x9e3779b1);
  return (h ^ (h >>> 13)) & (HEADS - 1);
};

/** Id of the remote with that address (mappedWords), 0 when there is none. Words may be signed or unsigned. */
export const remoteLookup = (table: Int32Array, w0: number, w1: number, w2: number, w3: number): number => {
  let id = table[headOf(w0, w1, w2, w3)];
  while (id !== 0) {
    const at = row(id);
    if (
      table[at + 3] === (w3 | 0) &&
      table[at + 2] === (w2 | 0) &&
      table[at + 1] === (w1 | 0) &&
      table[at] === (w0 | 0)
    ) {
      return id;
    }
    id = table[at + NEXT];
  }
  return 0;
};

/** Whether remote `id` may send with that VNI. */
export const remoteAcceptsVni = (table: Int32Array, id: number, vni: number): boolean => {
  const at = row(id);
  for (let n = 0; n < table[at + VNI_COUNT]; n++) if (table[at + VNIS + n] === vni) return true;
  return false;
};

/** Control only: makes `id` findable by its address. */
export const linkRemote = (table: Int32Array, id: number, words: readonly number[]): void => {
  const at = row(id);
  const head = headOf(words[0], words[1], words[2], words[3]);
  for (let w = 0; w < 4; w++) table[at + ADDRESS + w] = words[w];
  table[at + VNI_COUNT] = 0;
  table[at + NEXT] = table[head];
  Atomics.store(table, head, id);
};

/** Control only: nobody finds `id` any more; its row may be reused once all workers have seen that. */
export const unlinkRemote = (table: Int32Array, id: number): void => {
  const at = row(id);
  let link = headOf(table[at], table[at + 1], table[at + 2], table[at + 3]);
  while (table[link] !== id && table[link] !== 0) link = row(table[link]) + NEXT;
  if (table[link] === id) Atomics.store(table, link, table[at + NEXT]);
};

/** Control only: the VNIs that `id` may use. @throws RangeError for more than VNIS_PER_REMOTE */
export const setRemoteVnis = (table: Int32Array, id: number, vnis: readonly number[]): void => {
  if (vnis.length > VNIS_PER_REMOTE) {
    throw new RangeError(`a tunnel end point can use ${VNIS_PER_REMOTE} VNIs at a time, not ${vnis.length}`);
  }
  const at = row(id);
  vnis.forEach((vni, n) => {
    table[at + VNIS + n] = vni;
  });
  Atomics.store(table, at + VNI_COUNT, vnis.length);
};
