/**
 * A contestant: a TUN forwarder in the manner of Flannel's `udp` backend. One packet a system call, one datagram a packet,
 * no offload: what a user-space network costs when nothing is done about it.
 *
 *   main: one-by-one.js '{"netns":"/run/netns/pod","local":"192.168.77.1","remote":"192.168.77.2","ips":[…],"mtu":1450}'
 */

import { EPOLL_EVENT_SIZE, Epoll, epollAdd, epollCreate, eventData } from '../sys/epoll.ts';
import { check } from '../sys/errors.ts';
import { addressOf, libc } from '../sys/libc.ts';
import { MessageFlag } from '../sys/mmsg.ts';
import { inNamespace } from '../sys/netns.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../sys/sockaddr.ts';
import { udpSocket } from '../sys/socket.ts';
import { openTunQueue } from '../sys/tun.ts';
import { addressToBytes, parseAddress } from '../wire/address.ts';

const PORT = 8285; // Flannel's udp backend
const LARGEST = 65536;

interface Options {
  readonly netns: string;
  readonly local: string;
  readonly remote: string;
}

const { netns, local, remote } = JSON.parse(process.argv[2]) as Options;
const tun = inNamespace(netns, () => openTunQueue({ name: 'eth0', vnetHeader: false, multiQueue: false }).fd);
const socket = udpSocket({ family: 4, address: addressToBytes(parseAddress(local)), port: PORT });
const peer = new Uint8Array(SOCKADDR_SIZE);
const length = encodeSockaddr(peer, 0, addressToBytes(parseAddress(remote)), PORT);
check(libc.connect(socket, peer, length), 'connect', `connecting to ${remote}`);

const pollSet = epollCreate();
epollAdd(pollSet, tun, Epoll.in, tun);
epollAdd(pollSet, socket, Epoll.in, socket);
const memory = new Uint8Array(new WebAssembly.Memory({ initial: 4, maximum: 4 }).buffer);
const view = new DataView(memory.buffer);
const base = addressOf(memory);
const packet = memory.subarray(LARGEST, 2 * LARGEST);
const packetAddress = base + LARGEST;
process.stdout.write('{"ready":true}\n');

for (;;) {
  const events = libc.epoll_wait(pollSet, base, 2, -1);
  for (let n = 0; n < events; n++) {
    if (eventData(view, n * EPOLL_EVENT_SIZE) === tun) {
      for (
        let got = libc.read(tun, packetAddress, LARGEST);
        got > 0;
        got = libc.read(tun, packetAddress, LARGEST)
      )
        libc.send(socket, packet, got, 0);
    } else {
      const flags = MessageFlag.dontWait;
      for (
        let got = libc.recv(socket, packet, LARGEST, flags);
        got > 0;
        got = libc.recv(socket, packet, LARGEST, flags)
      )
        libc.write(tun, packetAddress, got);
    }
  }
}
