import { expect, onTestFinished, test } from 'vitest';
import { createReadRing, type ReadRing, readRingProblem } from '../../sys/io-uring.ts';
import { Errno, libc } from '../../sys/libc.ts';
import { inNamespace } from '../../sys/netns.ts';
import { addresses, links, openRtnetlink } from '../../sys/rtnetlink.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { udpSocket } from '../../sys/socket.ts';
import { openTunQueue, VNET_HEADER_SIZE } from '../../sys/tun.ts';
import { bytes, makeMemory, makeNamespace, sysErrorOf } from './support.ts';

const OWN = bytes('10.78.0.1');
const FAR = bytes('10.78.0.2');
const LENGTH = 2048;
const HEADERS = VNET_HEADER_SIZE + 28;

/** Keeps its results past the test's end, when the buffers are gone and nobody reads any more. */
function ringOf(buffers: number) {
  const memory = makeMemory(buffers * LENGTH);
  const at = Array.from({ length: buffers }, (_, n) => memory.base + n * LENGTH);
  const ring = createReadRing(at, LENGTH);
  onTestFinished(() => ring.close());
  const text = (n: number) =>
    new TextDecoder().decode(memory.bytes.slice(n * LENGTH + HEADERS, n * LENGTH + ring.results[n]));
  return { ring, text };
}

/** A TUN queue, and who puts datagrams into it. */
function queue() {
  const namespace = makeNamespace();
  const { fd } = inNamespace(namespace, () => openTunQueue({ name: 'tun0' }));
  const rtnetlink = openRtnetlink(namespace);
  const { index } = rtnetlink.get(links.byName('tun0'));
  rtnetlink.run(
    links.change(index, { addressGeneration: 'none' }),
    addresses.add({ index, address: OWN, prefixLength: 24 }),
    links.change(index, { up: true }),
  );
  const socket = inNamespace(namespace, () => udpSocket({ family: 4, address: OWN }));
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, FAR, 9);
  onTestFinished(() => {
    libc.close(fd);
    libc.close(socket);
    rtnetlink.close();
  });
  return {
    fd,
    send(text: string) {
      const payload = new TextEncoder().encode(text);
      expect(libc.sendto(socket, payload, payload.length, 0, sockaddr, length)).toBe(payload.length);
    },
    removeDevice: () => rtnetlink.run(links.remove(index)),
  };
}

const got = (ring: ReadRing, first: number, count: number) => [
  ...ring.results.subarray(first, first + count),
];

test('packets come in their order, and what finds none says so', () => {
  const { fd, send } = queue();
  const { ring, text } = ringOf(8);
  // More rounds than the ring has entries: positions wrap.
  for (let round = 0; round < 50; round++) {
    for (let n = 0; n < 5; n++) send(`${round}.${n}`);
    expect(ring.read(fd, 0, 3)).toBe(0);
    expect([0, 1, 2].map(text)).toEqual([0, 1, 2].map((n) => `${round}.${n}`));
    expect(ring.read(fd, 3, 5)).toBe(0);
    expect([3, 4].map(text)).toEqual([3, 4].map((n) => `${round}.${n}`));
    expect(got(ring, 5, 3)).toEqual([-Errno.EAGAIN, -Errno.EAGAIN, -Errno.EAGAIN]);
  }
});

test('one ring serves several queues in turn', () => {
  const [one, other] = [queue(), queue()];
  const { ring, text } = ringOf(4);
  one.send('to the one');
  other.send('to the other');
  expect([ring.read(one.fd, 0, 2), ring.read(other.fd, 2, 2)]).toEqual([0, 0]);
  expect([text(0), text(2)]).toEqual(['to the one', 'to the other']);
  expect([ring.results[1], ring.results[3]]).toEqual([-Errno.EAGAIN, -Errno.EAGAIN]);
});

test('a device that is gone is told by each read, and so is a wrong descriptor', () => {
  const { fd, removeDevice } = queue();
  const { ring } = ringOf(4);
  removeDevice();
  expect(ring.read(fd, 0, 4)).toBe(0);
  expect(got(ring, 0, 4)).toEqual(Array(4).fill(-Errno.EBADFD));
  expect(ring.read(1_000_000, 0, 1)).toBe(0);
  expect(got(ring, 0, 1)).toEqual([-Errno.EBADF]);
});

test('the probe takes nothing from a queue, and says what does not work', () => {
  const { fd, send } = queue();
  send('still there');
  expect(readRingProblem(fd)).toBeUndefined();
  const { ring, text } = ringOf(1);
  ring.read(fd, 0, 1);
  expect(text(0)).toBe('still there');
  expect(readRingProblem(-1)).toBe('io_uring does not read TUN queues here: EBADF');
});

test('what the kernel refuses is an error that says what to do', () => {
  const many = Array.from({ length: 40_000 }, () => 0);
  expect(sysErrorOf(() => createReadRing(many, LENGTH))).toMatchObject({
    call: 'io_uring_setup',
    code: 'EINVAL',
    doing: 'making a ring of reads (io_uring)',
  });
});
