import { expect, test } from 'vitest';
import { AddressFlag } from '../../sys/netlink/addresses.ts';
import type { Message } from '../../sys/netlink/message.ts';
import { addresses, links, openRtnetlink } from '../../sys/rtnetlink.ts';
import { bytes, ip, ipJson, makeNamespace, sysErrorOf } from './support.ts';

test('addresses of both families are added, read and deleted', () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  rtnetlink.run(links.createVeth({ name: 'a', up: true }, { name: 'b' }), links.change('b', { up: true }));
  const { index } = rtnetlink.get(links.byName('a'));
  const four = { index, address: bytes('10.1.2.3'), prefixLength: 24, broadcast: bytes('10.1.2.255') };
  const peer = { index, address: bytes('10.9.0.1'), peer: bytes('10.9.0.2'), prefixLength: 32, scope: 253 };
  const six = { index, address: bytes('fd00::1'), prefixLength: 64, flags: AddressFlag.noDad };
  const far = {
    index,
    address: bytes('fd00:1::1'),
    peer: bytes('fd00:1::2'),
    prefixLength: 128,
    flags: AddressFlag.noDad,
  };
  rtnetlink.run(...[four, peer, six, far].map(addresses.add));

  const [seen] = ipJson(namespace, 'address', 'show', 'a');
  const find = (local: string) => seen.addr_info.find((info: { local: string }) => info.local === local);
  expect(find('10.1.2.3')).toMatchObject({ prefixlen: 24, broadcast: '10.1.2.255', scope: 'global' });
  expect(find('10.9.0.1')).toMatchObject({ prefixlen: 32, address: '10.9.0.2', scope: 'link' });
  expect(find('fd00::1')).toMatchObject({ prefixlen: 64, nodad: true });
  expect(find('fd00::1').tentative).toBeUndefined();
  expect(find('fd00:1::1')).toMatchObject({ prefixlen: 128, address: 'fd00:1::2' });

  const list = rtnetlink.list(addresses.all({ index }));
  const own = list.filter(({ address }) => address[0] === 10 || address[0] === 0xfd);
  expect(own).toHaveLength(4);
  const read = ({ address }: { address: Uint8Array }) =>
    own.find((candidate) => candidate.address.join() === address.join());
  expect(read(four)).toMatchObject({ index, prefixLength: 24, scope: 0, broadcast: four.broadcast });
  expect(read(peer)).toMatchObject({
    peer: peer.peer,
    scope: 253,
  });
  expect(read(six)?.peer).toBeUndefined();
  expect(read(far)?.peer).toEqual(far.peer);
  expect(rtnetlink.list(addresses.all({ family: 6 })).every(({ address }) => address.length === 16)).toBe(
    true,
  );
  expect(rtnetlink.list(addresses.all({ index: 1 })).map(({ address }) => address.length)).toEqual([4, 16]);

  rtnetlink.run(...[four, peer, six, far].map(addresses.remove));
  expect(ip(namespace, 'address', 'show', 'a')).not.toMatch(/ (10\.|fd00)/);
  rtnetlink.close();
});

test('an address that is there already, or is not there, is said so', () => {
  const rtnetlink = openRtnetlink(makeNamespace());
  const address = { index: 1, address: bytes('10.0.0.1'), prefixLength: 8 };
  rtnetlink.run(addresses.add(address), addresses.replace(address));
  const twice = sysErrorOf(() => rtnetlink.run(addresses.add(address)));
  expect(twice.code).toBe('EEXIST');
  expect(twice.message).toMatch(
    /^adding the address 10\.0\.0\.1\/8 on the interface of index 1: RTM_NEWADDR failed/,
  );
  const absent = sysErrorOf(() =>
    rtnetlink.run(addresses.remove({ ...address, address: bytes('10.0.0.9') })),
  );
  expect(absent.code).toBe('EADDRNOTAVAIL');
  expect(sysErrorOf(() => rtnetlink.run(addresses.add({ ...address, index: 999 }))).code).toBe('ENODEV');
  rtnetlink.close();
});

test('a list that changes while it is read is read again', () => {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  const meddler = openRtnetlink(namespace);
  const numbered = (i: number) => ({ index: 1, address: Uint8Array.of(10, 0, i >> 8, i), prefixLength: 32 });
  rtnetlink.run(...Array.from({ length: 2000 }, (_, i) => addresses.add(numbered(i))));
  // Not of one interface: of those the kernel does not tell.
  const dump = addresses.all({ family: 4 });
  let reads = 0;
  const list = rtnetlink.list({
    ...dump,
    read(message) {
      // Within the first datagram of the first attempt; the kernel has yet to fill others.
      if (reads++ === 0) meddler.run(addresses.remove(numbered(1999)), addresses.add(numbered(5000)));
      return dump.read(message);
    },
  });
  expect(reads).toBeGreaterThan(2001);
  expect(list).toHaveLength(2001);
  expect(list.some(({ address }) => address.join() === numbered(5000).address.join())).toBe(true);
  expect(list.some(({ address }) => address.join() === numbered(1999).address.join())).toBe(false);

  const never = {
    ...dump,
    read(message: Message) {
      if (reads++ % 100 === 0) meddler.run(addresses.remove(numbered(7)), addresses.add(numbered(7)));
      return dump.read(message);
    },
  };
  expect(() => rtnetlink.list(never)).toThrow(
    /^listing the addresses: it changed during each of 10 attempts/,
  );
  // The rest of what was abandoned does not confuse what follows.
  expect(rtnetlink.get(links.byIndex(1)).name).toBe('lo');
  for (const socket of [rtnetlink, meddler]) socket.close();
});
