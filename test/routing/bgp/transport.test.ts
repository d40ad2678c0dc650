// What a peer's socket hands on, from a server of Node's.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import type { Input } from '../../../routing/bgp/session.ts';
import { PeerSockets } from '../../../routing/bgp/transport.ts';
import { parseAddress } from '../../../wire/address.ts';

it('hands on bytes of which a part can be kept without the rest', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'connection');
    const target = { address: parseAddress('127.0.0.1'), port, ttl: 64 };
    const data = new Promise<Input & { kind: 'data' }>((resolve) => {
      const sockets = new PeerSockets(
        () => target,
        (input) => {
          if (input.kind !== 'data') return;
          sockets.close(2);
          resolve(input);
        },
      );
      sockets.connect(2);
    });
    const [socket] = (await accepted) as [Socket];
    socket.end(Buffer.from([1, 2, 3, 4]));
    const { bytes } = await data;
    const part = bytes.slice(1, 3);
    bytes.fill(0);
    expect([...part]).toEqual([2, 3]);
    expect(part.buffer.byteLength).toBe(2);
  } finally {
    server.close();
  }
});
