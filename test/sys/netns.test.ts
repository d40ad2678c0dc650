import { readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { libc } from '../../sys/libc.ts';
import { currentNamespaceId, inNamespace, namespaceId, openNamespace } from '../../sys/netns.ts';
import { links, openRtnetlink } from '../../sys/rtnetlink.ts';
import { ip, makeNamespace, sysErrorOf } from './support.ts';

test('a function runs inside and its result comes out', () => {
  const namespace = makeNamespace();
  const home = currentNamespaceId();
  const inside = inNamespace(namespace, currentNamespaceId);
  const { dev, ino } = statSync(namespace);
  expect(inside).toEqual({ dev, inode: ino });
  expect(inside).toEqual(namespaceId(namespace));
  expect(inside).not.toEqual(home);
  expect(currentNamespaceId()).toEqual(home);
});

test('the thread comes back when the function throws, and from nested visits', () => {
  const outer = makeNamespace();
  const inner = makeNamespace();
  const home = currentNamespaceId();
  expect(() =>
    inNamespace(outer, () => {
      expect(inNamespace(inner, currentNamespaceId)).toEqual(namespaceId(inner));
      expect(currentNamespaceId()).toEqual(namespaceId(outer));
      throw new Error('from inside');
    }),
  ).toThrow('from inside');
  expect(currentNamespaceId()).toEqual(home);
});

test('a descriptor enters as well, and outlives the name', () => {
  const namespace = makeNamespace();
  const fd = openNamespace(namespace);
  const id = namespaceId(namespace);
  expect(inNamespace(fd, currentNamespaceId)).toEqual(id);
  libc.close(fd);
});

test('what is opened inside belongs there for good', () => {
  const namespace = makeNamespace();
  const rtnetlink = inNamespace(namespace, () => openRtnetlink());
  rtnetlink.run(links.create('bridge', { name: 'inside' }));
  expect(ip(namespace, '-br', 'link', 'show', 'inside')).toMatch(/^inside /);
  expect(openAndFind('inside')).toBeUndefined();
  rtnetlink.close();
});

function openAndFind(name: string) {
  const rtnetlink = openRtnetlink();
  try {
    return rtnetlink.find(links.byName(name));
  } finally {
    rtnetlink.close();
  }
}

function readlinkOrNothing(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // The descriptor of the listing itself.
  }
}

test('no descriptor is left open', () => {
  const namespace = makeNamespace();
  // Of namespaces and of the file that is none; what the test runner opens meanwhile is its own.
  const count = () =>
    readdirSync('/proc/self/fd')
      .map((fd) => readlinkOrNothing(`/proc/self/fd/${fd}`))
      .filter((target) => target.startsWith('net:[') || target === realpathSync('/etc/hostname')).length;
  const before = count();
  for (let i = 0; i < 50; i++) {
    inNamespace(namespace, currentNamespaceId);
    sysErrorOf(() => openNamespace('/etc/hostname'));
  }
  expect(count()).toBe(before);
});

test('an asynchronous function is refused', () => {
  const namespace = makeNamespace();
  const home = currentNamespaceId();
  expect(() => inNamespace(namespace, async () => 1)).toThrow(/must be synchronous/);
  expect(currentNamespaceId()).toEqual(home);
});

test('what is no network namespace is named, with what helps', () => {
  const missing = sysErrorOf(() => openNamespace('/run/netns/weft-no-such'));
  expect(missing).toMatchObject({ code: 'ENOENT', call: 'open', errno: 2 });
  expect(missing.message).toMatch(
    /opening the network namespace \/run\/netns\/weft-no-such: .*ip netns list/,
  );
  const file = sysErrorOf(() => inNamespace('/etc/hostname', () => 1));
  expect(file.code).toBe('ENOTTY');
  expect(file.message).toMatch(/not a namespace: it has been deleted/);
  expect(sysErrorOf(() => namespaceId('/proc/self/ns/mnt')).message).toMatch(/of another type than net/);
});
