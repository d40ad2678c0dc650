// The data path allocates nothing: a million packets of every kind leave the heap as it was.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { assembleForwarder } from '../../engine/assemble.ts';
import type { PacketIo, PacketReads } from '../../engine/device/io.ts';
import { parseAddress } from '../../wire/address.ts';
import { vtepMac } from '../../wire/mac.ts';
import { readsBy } from '../support/memory-io.ts';
import { ipipTo, MemoryNode, vxlanTo } from '../support/memory-node.ts';
import { bytes, inVxlan, ip, onTun, tcp, udp } from '../support/plain-packets.ts';

const EAGAIN = 11;
const POD = 2;
const PEER = '192.168.77.2';
const OUR_MAC = '02:57:c0:a8:4d:01';
/** Few enough for none of their garbage to be collected before it is counted. */
const CHUNK = 25_000;
const CHUNKS = 40;
/**
 * Bytes of garbage a packet. Code that reads and writes integers makes none, but what the compiler does not put in line may
 * hand over a number as an object of 16 bytes, here and there, differently from run to run; more than one is a mistake.
 */
const GARBAGE = 16;
/** Bytes that are still there after a million packets, when garbage is gone. */
const GROWTH = 100_000;

/** Hands out the same packets over and over, takes whatever comes, and allocates nothing. Addresses are offsets. */
class EndlessIo implements PacketIo {
  #u8: Uint8Array = new Uint8Array();
  #u32: Uint32Array = new Uint32Array();
  #packet: Uint8Array = new Uint8Array();
  #left = 0;
  #gro = 0;

  readonly addressOf = (u8: Uint8Array): number => {
    this.#u8 = u8;
    this.#u32 = new Uint32Array(u8.buffer);
    return 0;
  };

  offer(packet: Uint8Array, times: number, gro = 0): void {
    this.#packet = packet;
    this.#left = times;
    this.#gro = gro;
  }

  read(_fd: number, address: number): number {
    if (this.#left === 0) return -EAGAIN;
    this.#left--;
    this.#u8.set(this.#packet, address);
    return this.#packet.length;
  }

  reads(addresses: readonly number[], length: number): PacketReads {
    return readsBy(this, addresses, length);
  }

  recvmmsg(_fd: number, address: number, count: number): number {
    let m = 0;
    for (; m < count && this.#left > 0; m++, this.#left--) {
      const message = (address + m * 64) >> 2;
      const name = this.#u32[message] >> 2;
      this.#u32[name] = 2; // AF_INET
      this.#u32[name + 1] = 0x024da8c0; // 192.168.77.2
      this.#u8.set(this.#packet, this.#u32[this.#u32[message + 4] >> 2]);
      this.#u32[message + 14] = this.#packet.length;
      this.#u32[message + 10] = this.#gro === 0 ? 0 : 24;
      const control = this.#u32[message + 8] >> 2;
      this.#u32[control] = 20;
      this.#u32[control + 1] = 0;
      this.#u32[control + 2] = 17; // SOL_UDP
      this.#u32[control + 3] = 104; // UDP_GRO
      this.#u32[control + 4] = this.#gro;
    }
    return m === 0 ? -EAGAIN : m;
  }

  writev = (): number => 1;
  sendmmsg = (_fd: number, _address: number, count: number): number => count;
  waitWritable(): void {}
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

it('a million packets, without growth of the heap', { timeout: 120_000 }, () => {
  const node = new MemoryNode({ address: '192.168.77.1' });
  node.pod(POD, '10.244.1.2', 'fd00:244:1::2');
  node.pod(3, '10.244.1.3');
  node.route('10.244.2.0/24', vxlanTo(PEER));
  node.route('10.244.4.0/24', vxlanTo(PEER), vxlanTo('192.168.77.4'));
  node.route('fd00:244:2::/64', vxlanTo(PEER));
  node.route('10.244.3.0/24', ipipTo(PEER));
  const io = new EndlessIo();
  const mac = vtepMac(parseAddress('192.168.77.1'));
  let now = 1;
  node.limit(3, 'ingress', { rate: 1e9, burst: 1e5 });
  const forwarder = assembleForwarder(
    { ...node.setup, mac4: mac, mac6: mac },
    node.tables,
    io,
    io.addressOf,
    // Half a microsecond a look: so that what waits leaves.
    { monotonic: () => (now += 0.0005), wall: () => 1 },
  );

  const out = (destination: string) => ({ source: '10.244.1.2', destination });
  const six = { source: 'fd00:244:1::2', destination: 'fd00:244:2::2' };
  const back = { source: '10.244.2.2', destination: '10.244.1.2' };
  const back6 = { source: 'fd00:244:2::2', destination: 'fd00:244:1::2' };
  const ports = { sourcePort: 1000, destinationPort: 2000 };
  const segment = (n: number) =>
    inVxlan(tcp(back, { ...ports, sequence: 1 + n * 1398, payload: bytes(1398, n) }), 4096, OUR_MAC);
  const train = Buffer.concat(Array.from({ length: 44 }, (_, n) => segment(n)));
  const super6 = tcp(six, { ...ports, payload: bytes(40_000) }, true);
  const fromPod = [
    onTun(udp(out('10.244.2.2'), 1, 2, bytes(64))),
    onTun(udp(out('10.244.4.9'), 1, 2, bytes(64))),
    onTun(udp(out('10.244.3.3'), 1, 2, bytes(64))),
    onTun(tcp(out('10.244.1.3'), { ...ports, payload: bytes(100) })),
    onTun(udp(six, 1, 2, bytes(64))),
    onTun(super6, { gso: 4, size: 1378, start: 40, field: 16 }),
    onTun(udp({ ...out('10.244.2.2'), ttl: 1 }, 1, 2, bytes(64))), // no router address: no answer
    onTun(ip({ ...out('10.244.2.2'), protocol: 17, fragment: 0, payload: bytes(1470) })), // fragments
  ];
  const fromPeer: [Uint8Array, number][] = [
    [inVxlan(udp(back, 1, 2, bytes(64)), 4096, OUR_MAC), 0],
    [inVxlan(udp(back6, 1, 2, bytes(64)), 4096, OUR_MAC), 0],
    [inVxlan(udp(back, 1, 2, bytes(64)), 77, OUR_MAC), 0], // not our VNI
    [train, segment(0).length],
  ];
  const counted = (): number => node.tables.counters[0].subarray(0, 64).reduce((sum, cell) => sum + cell, 0);
  const send = (packets: number): void => {
    const end = counted() + packets;
    while (counted() < end) {
      for (const packet of fromPod) {
        io.offer(packet, 64);
        for (let n = 0; n < 8; n++) forwarder.fromPort(POD);
        forwarder.release();
      }
      for (const [datagram, gro] of fromPeer) {
        io.offer(datagram, 64, gro);
        for (let n = 0; n < 4; n++) forwarder.fromUnderlay(node.receivers.vxlan4);
      }
    }
  };

  const gc = collector();
  send(4_000_000); // compiled by now
  const grown: number[] = [];
  gc();
  const start = process.memoryUsage().heapUsed;
  const before = counted();
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    gc();
    const { heapUsed } = process.memoryUsage();
    send(CHUNK);
    grown.push(process.memoryUsage().heapUsed - heapUsed);
  }
  const packets = counted() - before;
  expect(packets).toBeGreaterThanOrEqual(1_000_000);
  const verdicts = node.verdicts();
  for (const name of ['delivered', 'encapsulated', 'fragmented', 'ttl-exceeded', 'vxlan-vni'])
    expect(verdicts[name], name).toBeGreaterThan(1000);
  // Nothing was collected meanwhile: no chunk has less than before.
  expect(Math.min(...grown)).toBeGreaterThan(-1000);
  const total = grown.reduce((sum, growth) => sum + growth, 0);
  expect(total / packets).toBeLessThan(GARBAGE);
  gc();
  expect(process.memoryUsage().heapUsed - start).toBeLessThan(GROWTH);
});
