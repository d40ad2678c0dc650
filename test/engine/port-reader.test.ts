// What a queue holds is read whole and in order, by whatever system calls.

import { describe, expect, it } from 'vitest';
import { createBatch, Ingress, resetBatch } from '../../engine/batch.ts';
import { createPacketMemory } from '../../engine/memory.ts';
import { PortReader } from '../../engine/port-reader.ts';
import { MemoryIo } from '../support/memory-io.ts';
import { onTun } from '../support/plain-packets.ts';

const QUEUE = 7;
const PORT = 3;
const MEMORY = 32 << 20;
const EAGAIN = 11;
const EBADFD = 77;
const ENOMEM = 12;

/** Counts what reaches the kernel. */
class CountingIo extends MemoryIo {
  calls = 0;
  override read(fd: number, address: number, length: number): number {
    this.calls++;
    return super.read(fd, address, length);
  }
  override reads(addresses: readonly number[], length: number) {
    const reads = super.reads(addresses, length);
    const read = (fd: number, first: number, count: number) => {
      this.calls -= count - 1;
      return reads.read(fd, first, count);
    };
    return { results: reads.results, read };
  }
}

function reader(batched: boolean, ringFails?: () => number) {
  const io = new CountingIo();
  if (ringFails) io.reads = (addresses) => ({ results: new Int32Array(addresses.length), read: ringFails });
  const memory = createPacketMemory(MEMORY, io.addressOf);
  const reader = new PortReader(memory, io, batched);
  const batch = createBatch(256);
  /** What came of one read, by first byte and length. */
  const read = () => {
    resetBatch(batch, Ingress.port);
    const result = reader.read(batch, QUEUE, PORT);
    const packets = Array.from({ length: batch.count }, (_, i) => ({
      first: memory.u8[batch.offset[i]],
      length: batch.length[i],
      last: memory.u8[batch.offset[i] + batch.length[i] - 1],
    }));
    return { result, packets };
  };
  const queue = (...lengths: readonly number[]) => {
    for (const [n, length] of lengths.entries()) io.queueRead(QUEUE, onTun(new Uint8Array(length).fill(n)));
  };
  return { io, read, queue };
}

const expected = (lengths: readonly number[]) =>
  lengths.map((length, n) => ({ first: n & 255, length, last: n & 255 }));

describe.each([true, false])('batched: %s', (batched) => {
  it.each([
    ['one', [60]],
    ['small ones', Array<number>(40).fill(92)],
    ['more than a batch', Array<number>(700).fill(92)],
    ['large ones', Array<number>(30).fill(65535)],
    ['large ones behind small ones', [...Array<number>(10).fill(92), ...Array<number>(40).fill(65535)]],
    ['all lengths', Array.from({ length: 300 }, (_, n) => 20 + ((n * 7919) % 65516))],
  ])('%s', (_, lengths) => {
    const { read, queue } = reader(batched);
    queue(...lengths);
    const packets = [];
    for (let result = 0; result === 0; ) {
      const got = read();
      result = got.result;
      packets.push(...got.packets);
      if (result !== 0) expect(result).toBe(-EAGAIN);
    }
    expect(packets).toEqual(expected(lengths));
    expect(read()).toEqual({ result: -EAGAIN, packets: [] });
  });

  it('a device that goes meanwhile is told, with what came before', () => {
    const { io, read, queue } = reader(batched);
    queue(...Array<number>(8).fill(92));
    expect(read()).toEqual({ result: -EAGAIN, packets: expected(Array<number>(8).fill(92)) });
    io.readErrors.push(...Array<number>(20).fill(EBADFD));
    expect(read()).toEqual({ result: -EBADFD, packets: [] });
  });
});

it('what comes between two reads of one call is not lost', () => {
  const { io, read, queue } = reader(true);
  queue(...Array<number>(9).fill(92));
  // The fifth read is the first of the ring: it finds nothing, and those behind it do.
  const plain = io.read.bind(io);
  let reads = 0;
  io.read = (fd, address, length) => (++reads === 6 ? -EAGAIN : plain(fd, address, length));
  expect(read()).toEqual({ result: -EAGAIN, packets: expected(Array<number>(9).fill(92)) });
});

it('a ring that fails loses nothing and holds nothing up', () => {
  const { io, read, queue } = reader(true, () => -ENOMEM);
  queue(...Array<number>(50).fill(92));
  const packets = [];
  for (let turn = 0; turn < 13; turn++) {
    const got = read();
    expect(got.result).toBe(turn < 12 ? 0 : -EAGAIN);
    packets.push(...got.packets);
  }
  expect(packets).toEqual(expected(Array<number>(50).fill(92)));
  expect(io.calls).toBeGreaterThan(50);
});

it('many small packets cost few system calls, lone and large ones what they did', () => {
  const calls = (lengths: readonly number[]) => {
    const { io, read, queue } = reader(true);
    queue(...lengths);
    while (read().result === 0);
    return io.calls;
  };
  expect(calls(Array<number>(100).fill(92))).toBeLessThan(13);
  expect(calls([92])).toBe(2);
  expect(calls(Array<number>(10).fill(65535))).toBe(11);
});
