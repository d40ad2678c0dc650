// Between the stages and the way out, for the packets that the stage `limit` found: each takes its tokens and goes at once,
// waits for its time, or is refused because too much waits already. What waited is routed anew when it leaves: what was
// looked up when it came may be gone by then.
//
//   limit ──▶ take ──▶ tokens there ──────────────────────────────────▶ leaving ──▶ route ▶ rewrite ▶ dispatch
//               │ └──▶ not yet ──▶ waiting room ── its time has come ──▶ leaving
//               └────▶ too much waits: rateLimit, a drop

import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import { type Batch, copyPacket, createBatch, Gso, resetBatch } from './batch.ts';
import { egressRow, ingressRow } from './limit.ts';
import type { PacketMemory } from './memory.ts';
import type { Tables } from './tables/buffers.ts';
import { portOfRow, RATE_WORDS } from './tables/rates.ts';
import { REFUSED, takeTokens } from './token-bucket.ts';
import { Verdict } from './verdict.ts';
import { WaitingRoom } from './waiting-room.ts';

const TCP = 6;

export class Pacer {
  /** Packets that may go now; at most as many as the batch has that they are taken from. */
  readonly leaving: Batch;
  readonly #memory: PacketMemory;
  readonly #tables: Tables;
  readonly #clock: () => number;
  readonly #room: WaitingRoom;
  /** Packets that wait, by row of the bucket. */
  readonly #waiting = new Int32Array(RATE_WORDS);
  /** The time up to which everything has left, so that nothing overtakes what should have. */
  #now = 0;

  /** @param capacity of the batches that packets are taken from  @param clock of clock.ts */
  constructor(memory: PacketMemory, tables: Tables, capacity: number, clock: () => number) {
    this.#memory = memory;
    this.#tables = tables;
    this.#clock = clock;
    this.#room = new WaitingRoom(memory);
    this.leaving = createBatch(capacity);
  }

  /** Takes packet `i`: to leave now or later. @returns 0, or the port whose limit refuses it */
  take(batch: Batch, i: number): number {
    const { rates } = this.#tables;
    const egress = egressRow(batch, i, this.#tables);
    const ingress = ingressRow(batch, i, this.#tables);
    const owner = egress !== 0 ? egress : ingress;
    // Nobody takes more of the room than is left: however many flood it, there is some for the others.
    const mayWait = this.#waiting[owner] < this.#room.left(batch.length[i]);
    if (this.#room.count === 0) this.#now = this.#clock();
    const bytes = this.#bytes(batch, i);
    let wait = egress !== 0 ? takeTokens(rates, egress, bytes, this.#now, mayWait) : 0;
    if (wait === REFUSED) return portOfRow(egress);
    if (ingress !== 0) {
      const other = takeTokens(rates, ingress, bytes, this.#now, mayWait);
      if (other === REFUSED) return portOfRow(ingress);
      if (other > wait) wait = other;
    }
    batch.verdict[i] = Verdict.pending;
    if (wait > 0) {
      this.#waiting[owner]++;
      this.#room.add(batch, i, owner, this.#now + wait);
    } else {
      if (this.leaving.count === 0) resetBatch(this.leaving, batch.ingress);
      copyPacket(batch, i, this.leaving, this.leaving.count++);
    }
    return 0;
  }

  /** Milliseconds until a packet's time comes; Infinity when none waits. */
  wait(): number {
    return this.#room.count === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(0, this.#room.earliest - this.#clock());
  }

  /** Moves packets whose time has come into `leaving`, which is empty. Call until it says that there are none. */
  collect(): boolean {
    const room = this.#room;
    const { leaving } = this;
    if (room.count === 0) return false;
    this.#now = this.#clock();
    if (room.earliest > this.#now) return false;
    resetBatch(leaving, room.ingress);
    while (
      room.count > 0 &&
      room.earliest <= this.#now &&
      room.ingress === leaving.ingress &&
      leaving.count < leaving.capacity
    ) {
      const i = leaving.count;
      this.#waiting[room.take(leaving)]--;
      leaving.adjacency[i] = 0;
    }
    return true;
  }

  /** What left is sent. */
  left(): void {
    this.leaving.count = 0;
    this.#room.free();
  }

  /** Bytes as on a link: each segment of a super-packet has headers of its own. */
  #bytes(batch: Batch, i: number): number {
    if (batch.gso[i] === Gso.none) return batch.length[i];
    const transport = batch.headerLength[i];
    const { view } = this.#memory;
    const headers =
      transport +
      (batch.protocol[i] === TCP ? tcp.headerLength(view, batch.offset[i] + transport) : udp.LENGTH);
    return batch.length[i] + (batch.segments[i] - 1) * headers;
  }
}
