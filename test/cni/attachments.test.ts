import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Attachments, type AttachmentsOptions } from '../../cni/attachments.ts';
import { emptyState } from '../../cni/ipam/allocator.ts';
import type { PortMapping } from '../../cni/port-mappings.ts';
import { AttachmentStore } from '../../cni/store.ts';
import { libc } from '../../sys/libc.ts';
import { inNamespace, openNamespace } from '../../sys/netns.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { FakeForwards } from '../support/fake-forwards.ts';
import { recordingLog } from '../support/log.ts';
import { makeNamespace, type TestNamespace, until } from '../support/pod-namespace.ts';

let folder: string;
let namespaces: TestNamespace[];
let stores: AttachmentStore[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-attach-'));
  namespaces = [];
  stores = [];
});

afterEach(async () => {
  for (const store of stores) await store.close();
  for (const namespace of namespaces) namespace.delete();
  rmSync(folder, { recursive: true });
});

function pod(): TestNamespace {
  const namespace = makeNamespace();
  namespaces.push(namespace);
  return namespace;
}

/** Attachments on a fake engine, on the test's folder: a second call is a second daemon. */
function daemon(changed: Partial<AttachmentsOptions> = {}) {
  const engine = new FakeEngine();
  const forwards = new FakeForwards();
  const log = recordingLog();
  const store = new AttachmentStore(folder, log);
  stores.push(store);
  const ipam = emptyState(['10.244.1.0/24', 'fd00:244:1::/64'].map(parsePrefix));
  const attachments = new Attachments({
    store,
    ipam,
    ports: engine,
    routes: {
      add: (prefix, port) => engine.setRoute(prefix, [{ kind: 'port', port }]),
      remove: (prefix) => engine.removeRoute(prefix),
    },
    forwards,
    log,
    bootId: 'boot-1',
    queues: 2,
    offload: 1,
    mtu: () => 1450,
    gsoLimits: () => ({ maxSegments: 44, maxSize: 65536 }),
    ...changed,
  });
  return { engine, forwards, log, store, ipam, attachments };
}

/** Ends a daemon as a crash would, but for the lock: its descriptors are closed, its files stay. */
async function crash({ engine, store }: ReturnType<typeof daemon>) {
  await engine.stop();
  await store.close();
}

const linkOf = (namespace: TestNamespace, name = 'eth0') =>
  JSON.parse(namespace.run('ip', '-d', '-j', 'link', 'show', 'dev', name))[0];
const addressesOf = (namespace: TestNamespace) =>
  JSON.parse(namespace.run('ip', '-j', 'addr', 'show', 'dev', 'eth0'))[0].addr_info.map(
    (a: { local: string; prefixlen: number }) => `${a.local}/${a.prefixlen}`,
  );
const hasLink = (namespace: TestNamespace, name = 'eth0') =>
  namespace.run('ip', '-o', 'link').includes(`: ${name}:`);

describe('attach', () => {
  it('makes a TUN with addresses, routes and limits, and the engine forwards for it', async () => {
    const { attachments, engine, store } = daemon();
    const namespace = pod();
    const attachment = await attachments.attach({ id: 'pod-a', ifname: 'eth0', netns: namespace.path });

    expect(attachment.ips.map(formatAddress)).toEqual(['10.244.1.2', 'fd00:244:1::2']);
    expect(attachment.mtu).toBe(1450);
    expect(attachment.mac).toMatch(/^02:58(:[0-9a-f]{2}){4}$/);
    expect(linkOf(namespace)).toMatchObject({
      mtu: 1450,
      qdisc: 'noqueue',
      txqlen: 10_000,
      gso_max_segs: 44,
      inet6_addr_gen_mode: 'none',
      linkinfo: {
        info_kind: 'tun',
        info_data: { type: 'tun', multi_queue: true, vnet_hdr: true, persist: true, numqueues: 2 },
      },
    });
    expect(linkOf(namespace).flags).toContain('UP');
    expect(addressesOf(namespace)).toEqual(['10.244.1.2/32', 'fd00:244:1::2/128']);
    expect(namespace.run('ip', '-6', 'addr')).not.toMatch(/tentative|fe80/);
    expect(namespace.run('ip', 'route').trim().split(' \n')).toEqual([
      'default via 10.244.1.1 dev eth0 proto static',
      '10.244.1.1 dev eth0 proto static scope link',
    ]);
    expect(namespace.run('ip', '-6', 'route')).toMatch(/^default via fd00:244:1::1 dev eth0/m);

    const [[port, spec]] = [...engine.ports];
    expect(spec).toMatchObject({ kind: 'pod', mtu: 1450 });
    expect(spec.fds).toHaveLength(2);
    expect(Object.fromEntries(engine.routes)).toEqual({
      '10.244.1.2/32': [{ kind: 'port', port }],
      'fd00:244:1::2/128': [{ kind: 'port', port }],
    });
    expect(store.get(attachment)?.phase).toBe('ready');
    expect(attachments.list()).toEqual([{ attachment, port }]);
    await engine.stop();
  });

  it('switches IPv6 on where the runtime has switched it off', async () => {
    const { attachments, engine } = daemon();
    const namespace = pod();
    namespace.run(
      'sysctl',
      '-qw',
      'net.ipv6.conf.all.disable_ipv6=1',
      'net.ipv6.conf.default.disable_ipv6=1',
    );
    await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    expect(addressesOf(namespace)).toContain('fd00:244:1::2/128');
    await engine.stop();
  });

  it('gives the addresses asked for, or says why not', async () => {
    const { attachments, engine } = daemon();
    const ips = [parseAddress('10.244.1.40')];
    const attachment = await attachments.attach({ id: 'a', ifname: 'eth0', netns: pod().path, ips });
    expect(attachment.ips.map(formatAddress)).toEqual(['10.244.1.40', 'fd00:244:1::2']);
    await expect(attachments.attach({ id: 'b', ifname: 'eth0', netns: pod().path, ips })).rejects.toThrow(
      '10.244.1.40 is in use by another pod',
    );
    await engine.stop();
  });

  it('a second interface of a pod comes second', async () => {
    const { attachments, engine } = daemon();
    const namespace = pod();
    await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await attachments.attach({ id: 'a', ifname: 'eth1', netns: namespace.path });
    expect(namespace.run('ip', 'route').match(/^default.*$/gm)).toEqual([
      'default via 10.244.1.1 dev eth0 proto static ',
      expect.stringMatching(/^default via 10.244.1.1 dev eth1 proto static metric \d+/),
    ]);
    await engine.stop();
  });

  it.each([
    [{ id: '', ifname: 'eth0' }, /id "" is not valid/],
    [{ id: '-a', ifname: 'eth0' }, /id "-a" is not valid/],
    [{ id: 'a'.repeat(129), ifname: 'eth0' }, /is not valid: 1 to 128/],
    [{ id: 'a', ifname: 'sixteen-letters-' }, /1 to 15 bytes/],
    [{ id: 'a', ifname: 'eth 0' }, /interface name "eth 0" is not valid/],
    [{ id: 'a', ifname: 'a/b' }, /is not valid/],
    [{ id: 'a', ifname: '..' }, /is not valid/],
    [{ id: 'a', ifname: 'eth0', netns: '/run/netns/wt-no-such' }, /wt-no-such.*does not exist/],
    [{ id: 'a', ifname: 'eth0', netns: 'pod1' }, /give its full path/],
    [{ id: 'a', ifname: 'eth0', netns: '/etc/hostname' }, /not a namespace/],
    [{ id: 'a', ifname: 'eth0', netns: '/proc/self/ns/mnt' }, /another type than net/],
    [{ id: 'a', ifname: 'eth0', netns: '/proc/self/ns/net' }, /the node's own network namespace/],
  ])('refuses %j', async (request, message) => {
    const { attachments, store, ipam } = daemon();
    await expect(attachments.attach({ netns: '/run/netns/none', ...request })).rejects.toThrow(message);
    expect(store.all()).toEqual([]);
    expect(ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
  });

  it('refuses the same name twice, also at the same time', async () => {
    const { attachments, engine } = daemon();
    const [one, two] = [pod(), pod()];
    const results = await Promise.allSettled([
      attachments.attach({ id: 'a', ifname: 'eth0', netns: one.path }),
      attachments.attach({ id: 'a', ifname: 'eth0', netns: two.path }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(attachments.attach({ id: 'a', ifname: 'eth0', netns: two.path })).rejects.toThrow(
      'a has an attachment eth0 already',
    );
    expect(hasLink(two)).toBe(false);
    await engine.stop();
  });

  it('refuses a name that an interface of the pod has, and leaves that one alone', async () => {
    const { attachments, ipam } = daemon();
    const namespace = pod();
    namespace.run('ip', 'tuntap', 'add', 'mode', 'tun', 'name', 'eth0', 'multi_queue');
    const request = { id: 'a', ifname: 'eth0', netns: namespace.path };
    await expect(attachments.attach(request)).rejects.toThrow(/has an interface eth0 already/);
    expect(hasLink(namespace)).toBe(true);
    expect(ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
  });
});

describe('an attach that fails', () => {
  const steps: [string, (d: ReturnType<typeof daemon>) => void][] = [
    [
      'adding the port',
      ({ engine }) => {
        engine.failing = 'addPort';
      },
    ],
    [
      'setting the route',
      ({ engine }) => {
        engine.failing = 'setRoute';
      },
    ],
    [
      'leading ports to it',
      ({ forwards }) => {
        forwards.failing = true;
      },
    ],
    ['writing "creating"', ({ store }) => failPut(store, 'creating')],
    ['writing "ready"', ({ store }) => failPut(store, 'ready')],
  ];

  function failPut(store: AttachmentStore, phase: string) {
    const put = store.put.bind(store);
    store.put = async (attachment) => {
      if (attachment.phase === phase) throw new Error('injected: no space left');
      return put(attachment);
    };
  }

  it.each(steps)('%s: leaves nothing half-made, and works the next time', async (_, inject) => {
    const failed = daemon();
    inject(failed);
    const namespace = pod();
    const portMappings = [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 } as const];
    const request = { id: 'a', ifname: 'eth0', netns: namespace.path, portMappings };
    await expect(failed.attachments.attach(request)).rejects.toThrow('injected');
    expect(failed.forwards.list).toEqual([]);
    expect(hasLink(namespace)).toBe(false);
    expect(failed.engine.ports.size).toBe(0);
    expect(failed.engine.routes.size).toBe(0);
    expect(failed.ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
    expect(failed.attachments.list()).toEqual([]);
    await failed.store.close();
    const next = daemon();
    expect(next.store.all()).toEqual([]);
    await next.attachments.attach(request);
    await next.engine.stop();
  });

  it('making the interface: leaves nothing half-made', async () => {
    const failed = daemon({ mtu: () => 10 });
    const namespace = pod();
    await expect(
      failed.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path }),
    ).rejects.toThrow(/mtu/);
    expect(hasLink(namespace)).toBe(false);
    expect(failed.store.all()).toEqual([]);
    expect(failed.ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
  });
});

describe('ports of the node', () => {
  const mapping = (hostPort: number, more: Partial<PortMapping> = {}): PortMapping => ({
    protocol: 'tcp',
    hostPort,
    containerPort: 80,
    ...more,
  });
  const request = (id: string, ...portMappings: PortMapping[]) => ({
    id,
    ifname: 'eth0',
    netns: pod().path,
    portMappings,
  });

  it('lead to the pod at its addresses, until it is detached or gone', async () => {
    const { attachments, engine, forwards } = daemon();
    const hostIp = parseAddress('192.168.77.1');
    await attachments.attach(
      request('a', mapping(8080), mapping(8080), mapping(53, { protocol: 'udp', hostIp })),
    );
    await attachments.attach(request('b', mapping(9090, { hostIp: parseAddress('::') })));
    expect(forwards.list).toEqual([
      'tcp 8080 > 10.244.1.2:80',
      'tcp 8080 > fd00:244:1::2:80',
      'udp 192.168.77.1:53 > 10.244.1.2:80',
      'tcp 9090 > fd00:244:1::3:80',
    ]);
    await attachments.detach({ id: 'a', ifname: 'eth0' });
    expect(forwards.list).toEqual(['tcp 9090 > fd00:244:1::3:80']);
    await attachments.dismiss({ id: 'b', ifname: 'eth0' });
    expect(forwards.list).toEqual([]);
    const last = request('c', mapping(8080));
    await attachments.attach(last);
    namespaces.at(-1)?.delete();
    await attachments.check();
    expect(forwards.list).toEqual([]);
    await engine.stop();
  });

  it.each([
    ['the same port', mapping(8080), /tcp port 8080 leads to a\/eth0 already/],
    [
      'at one address',
      mapping(8080, { hostIp: parseAddress('10.9.9.9') }),
      /port 8080 of 10\.9\.9\.9 leads to a/,
    ],
    [
      'the same address',
      mapping(53, { hostIp: parseAddress('10.9.9.9') }),
      /port 53 of 10\.9\.9\.9 leads to a/,
    ],
  ])('are refused to another pod: %s', async (_, wanted, message) => {
    const { attachments, engine, store, ipam } = daemon();
    await attachments.attach(request('a', mapping(8080), mapping(53, { hostIp: parseAddress('10.9.9.9') })));
    await expect(attachments.attach(request('b', wanted))).rejects.toThrow(message);
    expect(store.all()).toHaveLength(1);
    expect(ipam.map(({ taken }) => taken.size)).toEqual([1, 1]);
    await attachments.detach({ id: 'a', ifname: 'eth0' });
    await attachments.attach(request('b', wanted));
    await engine.stop();
  });

  it('are not refused where no packet could be meant for both', async () => {
    const { attachments, engine, forwards } = daemon();
    const at = (ip: string) => ({ hostIp: parseAddress(ip) });
    await attachments.attach(request('a', mapping(53, at('10.9.9.9')), mapping(80, at('0.0.0.0'))));
    await attachments.attach(request('b', mapping(53, at('10.9.9.8')), mapping(53, at('::'))));
    await attachments.attach(request('c', mapping(53, { protocol: 'udp' }), mapping(80, at('::'))));
    expect(forwards.list).toHaveLength(7);
    await engine.stop();
  });

  it('cannot be asked for at an address of a family that the pod lacks, nor in two ways', async () => {
    const { attachments } = daemon({ ipam: emptyState([parsePrefix('10.244.1.0/24')]) });
    const six = { hostIp: parseAddress('fd00::1') };
    await expect(attachments.attach(request('a', mapping(80, six)))).rejects.toThrow(
      /hostIP fd00::1: the pod has no address of that family/,
    );
    await expect(
      attachments.attach(request('a', mapping(80), mapping(80, { containerPort: 81 }))),
    ).rejects.toThrow(/tcp port 80 is asked for twice/);
    await expect(attachments.attach(request('a', mapping(80), mapping(80)))).resolves.toBeDefined();
  });

  it('are kept for the next daemon', async () => {
    const first = daemon();
    await first.attachments.attach(request('a', mapping(8080, { hostIp: parseAddress('192.168.77.1') })));
    await crash(first);
    const next = daemon();
    await next.attachments.recover();
    expect(next.forwards.list).toEqual(['tcp 192.168.77.1:8080 > 10.244.1.2:80']);
    await expect(next.attachments.attach(request('b', mapping(8080)))).rejects.toThrow(/leads to a\/eth0/);
    await crash(next);
  });

  it('that could not be closed are closed later', async () => {
    const { attachments, forwards } = daemon();
    await attachments.attach(request('a', mapping(8080)));
    forwards.failing = true;
    await attachments.detach({ id: 'a', ifname: 'eth0' });
    expect(forwards.list).toHaveLength(2);
    forwards.failing = false;
    await attachments.check();
    expect(forwards.list).toEqual([]);
  });
});

describe('detach', () => {
  it('leaves nothing, and may be repeated', async () => {
    const { attachments, engine, store, ipam } = daemon();
    const namespace = pod();
    await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    const name = { id: 'a', ifname: 'eth0' };
    await Promise.all([attachments.detach(name), attachments.detach(name)]);
    await attachments.detach(name);
    await attachments.detach({ id: 'never-there', ifname: 'eth0' });
    expect(hasLink(namespace)).toBe(false);
    expect(engine.ports.size + engine.routes.size + store.all().length).toBe(0);
    expect(ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
  });

  it('works when the namespace is gone', async () => {
    const { attachments, store } = daemon();
    const namespace = pod();
    await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    namespace.delete();
    await attachments.detach({ id: 'a', ifname: 'eth0' });
    expect(store.all()).toEqual([]);
  });
});

describe('dismiss', () => {
  it('removes the interface also from a namespace whose path goes as soon as the runtime is told', async () => {
    const { attachments, store, ipam, engine, log } = daemon();
    const namespace = pod();
    const holder = openNamespace(namespace.path);
    const name = { id: 'a', ifname: 'eth0' };
    await attachments.attach({ ...name, netns: namespace.path });
    await attachments.dismiss(name);
    namespace.delete();
    await until(() => !attachments.isBusy(), 'the end of the interface');
    const inside = inNamespace(holder, () => libc.if_nametoindex('eth0'));
    closeSync(holder);
    expect(inside).toBe(0);
    expect(store.all()).toEqual([]);
    expect(ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
    expect(log.lines.filter(({ level }) => level !== 'info')).toEqual([]);
    await engine.stop();
  });

  it('that cannot be written down at its end, as on a full disk, is written down later', async () => {
    const { attachments, store, ipam, engine, log } = daemon();
    const [name, other] = ['a', 'b'].map((id) => ({ id, ifname: 'eth0' }));
    const remove = store.remove.bind(store);
    const full = () => Promise.reject(new Error('ENOSPC: no space left on device'));
    for (const one of [name, other]) await attachments.attach({ ...one, netns: pod().path });
    store.remove = full;
    for (const one of [name, other]) await attachments.dismiss(one);
    await until(() => !attachments.isBusy(), 'the end of the interfaces');
    const taken = () => ipam.map(({ taken }) => taken.size);
    expect([store.all().length, taken()]).toEqual([2, [2, 2]]);
    // Nobody gets the name before, and who asks for it is told why.
    const again = { ...name, netns: pod().path };
    await expect(attachments.attach(again)).rejects.toThrow('ENOSPC');
    for (let round = 0; round < 20; round++) await attachments.check();
    expect(log.lines.filter(({ level }) => level === 'error').length).toBeGreaterThanOrEqual(2);
    store.remove = remove;
    await attachments.attach(again);
    expect([
      store
        .all()
        .map(({ id }) => id)
        .sort(),
      taken(),
    ]).toEqual([
      ['a', 'b'],
      [2, 2],
    ]);
    for (let round = 0; round < 20; round++) await attachments.check();
    expect([store.all().map(({ id }) => id), taken()]).toEqual([['a'], [1, 1]]);
    await engine.stop();
  });
});

describe('recover', () => {
  it('takes over interfaces as they are, with fewer and with more queues', async () => {
    const first = daemon();
    const namespace = pod();
    const attachment = await first.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    const { ifindex } = linkOf(namespace);
    await crash(first);
    for (const queues of [1, 5]) {
      const next = daemon({ queues });
      await next.attachments.recover();
      expect(next.attachments.list().map((live) => live.attachment)).toEqual([attachment]);
      expect(linkOf(namespace)).toMatchObject({ ifindex, linkinfo: { info_data: { numqueues: queues } } });
      expect([...next.engine.routes.keys()]).toEqual(['10.244.1.2/32', 'fd00:244:1::2/128']);
      const other = await next.attachments.attach({ id: 'b', ifname: 'eth0', netns: pod().path });
      expect(other.ips.map(formatAddress)).not.toContain('10.244.1.2');
      await next.attachments.detach(other);
      await crash(next);
    }
  });

  it('repairs what the pod has lost meanwhile', async () => {
    const first = daemon();
    const namespace = pod();
    await first.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await crash(first);
    namespace.run('ip', 'addr', 'flush', 'dev', 'eth0');
    namespace.run('ip', 'link', 'set', 'eth0', 'down');
    const next = daemon();
    await next.attachments.recover();
    expect(addressesOf(namespace)).toEqual(['10.244.1.2/32', 'fd00:244:1::2/128']);
    expect(namespace.run('ip', 'route')).toMatch(/^default via 10.244.1.1 dev eth0/m);
    expect(namespace.run('ip', '-6', 'route')).toMatch(/^default via fd00:244:1::1 dev eth0/m);
    await crash(next);
  });

  it('leaves default routes where a plugin has moved them', async () => {
    const first = daemon();
    const namespace = pod();
    await first.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await crash(first);
    const [before] = namespace.run('ip', 'route').split(' \n');
    namespace.run('ip', 'route', 'add', 'table', '100', ...before.trim().split(' '));
    namespace.run('ip', 'route', 'del', 'default');
    const next = daemon();
    await next.attachments.recover();
    expect(namespace.run('ip', 'route')).not.toContain('default');
    expect(namespace.run('ip', 'route', 'show', 'table', '100')).toContain('default via 10.244.1.1 dev eth0');
    await crash(next);
  });

  const losses: [string, (namespace: TestNamespace) => Partial<AttachmentsOptions>, RegExp][] = [
    ['another boot', () => ({ bootId: 'boot-2' }), /booted/],
    [
      'a namespace that is gone',
      (n) => {
        n.delete();
        return {};
      },
      /namespace is gone/,
    ],
    [
      'an interface that is gone',
      (n) => {
        n.run('ip', 'link', 'del', 'eth0');
        return {};
      },
      /interface is gone/,
    ],
    [
      'an interface that is another',
      (n) => {
        n.run('ip', 'link', 'del', 'eth0');
        n.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
        return {};
      },
      /interface is gone/,
    ],
  ];

  it.each(losses)('frees the attachment of %s', async (_, lose, reason) => {
    const first = daemon();
    const namespace = pod();
    await first.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await crash(first);
    const next = daemon(lose(namespace));
    await next.attachments.recover();
    expect(next.attachments.list()).toEqual([]);
    expect(next.store.all()).toEqual([]);
    expect(next.ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
    expect(next.log.lines.map(({ fields }) => fields.reason)).toContainEqual(expect.stringMatching(reason));
  });

  it('undoes what was being made', async () => {
    const first = daemon();
    const namespace = pod();
    const attachment = await first.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await first.store.put({ ...attachment, phase: 'creating' });
    await crash(first);
    const next = daemon();
    await next.attachments.recover();
    expect(hasLink(namespace)).toBe(false);
    expect(next.store.all()).toEqual([]);
    expect(next.ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
  });

  it('lets addresses rest on, and looks for the next one where the last daemon would have', async () => {
    const first = daemon();
    const names = ['a', 'b', 'c'].map((id) => ({ id, ifname: 'eth0' }));
    for (const name of names) await first.attachments.attach({ ...name, netns: pod().path });
    const [a, b, c] = names;
    await first.attachments.detach(b);
    await first.attachments.dismiss(c);
    await first.attachments.attach({ ...c, netns: pod().path });
    await first.attachments.detach(c);
    const before = first.ipam.map(({ resting }) => [...resting]);
    expect(before.map((rests) => rests.map(([offset]) => offset))).toEqual([
      [3, 4, 5],
      [3, 4, 5],
    ]);
    await crash(first);

    const next = daemon();
    await next.attachments.recover();
    const after = next.ipam.map(({ resting }) => [...resting]);
    for (const [i, rests] of after.entries()) {
      expect(rests.map(([offset]) => offset)).toEqual([3, 4, 5]);
      // The disk is told first, and on the way to it the time goes on.
      for (const [n, [, until]] of rests.entries())
        expect(Math.abs(until - before[i][n][1])).toBeLessThan(1000);
    }
    const d = await next.attachments.attach({ id: 'd', ifname: 'eth0', netns: pod().path });
    expect(d.ips.map(formatAddress)).toEqual(['10.244.1.6', 'fd00:244:1::6']);
    const wanted = [parseAddress('10.244.1.3')];
    await next.attachments.attach({ id: 'e', ifname: 'eth0', netns: pod().path, ips: wanted });
    await next.attachments.detach(a);
    await crash(next);

    const last = daemon({ bootId: 'boot-2' });
    expect(last.store.rests().map(({ ip }) => formatAddress(ip))).not.toContain('10.244.1.3');
    await last.attachments.recover();
    // Nobody knows how long the machine was away: they rest from now on.
    expect([...last.ipam[0].resting.keys()].sort()).toEqual([2, 3, 4, 5, 6]);
    await last.attachments.check();
    expect(last.store.rests().every(({ bootId }) => bootId === 'boot-2')).toBe(true);
    await crash(last);
  });

  it('forgets rests that are over', async () => {
    const { attachments, store } = daemon();
    const attachment = await attachments.attach({ id: 'a', ifname: 'eth0', netns: pod().path });
    const [ip] = attachment.ips;
    await store.remove(attachment, [{ ip, until: 1, bootId: 'boot-1' }]);
    expect(store.rests()).toEqual([{ ip, until: 1, bootId: 'boot-1' }]);
    await attachments.check();
    expect(store.rests()).toEqual([]);
  });

  it('keeps what cannot be taken over now, and takes it over later', async () => {
    const first = daemon();
    const namespace = pod();
    await first.attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await crash(first);
    const next = daemon();
    next.engine.failing = 'setRoute';
    await next.attachments.recover();
    expect(next.engine.ports.size).toBe(0);
    expect(next.attachments.list()).toMatchObject([{ attachment: { id: 'a' }, port: undefined }]);
    expect(next.ipam.map(({ taken }) => taken.size)).toEqual([1, 1]);
    next.engine.failing = undefined;
    await next.attachments.check();
    expect(next.attachments.list()[0].port).toBeDefined();
    await crash(next);
  });
});

describe('check', () => {
  it('frees a pod whose interface was deleted', async () => {
    const { attachments, engine, store, log } = daemon();
    const namespace = pod();
    await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    await attachments.check();
    expect(engine.ports.size).toBe(1);
    namespace.run('ip', 'link', 'del', 'eth0');
    await attachments.check();
    expect(engine.ports.size + engine.routes.size + store.all().length).toBe(0);
    expect(log.lines.at(-1)).toMatchObject({
      level: 'warn',
      fields: { id: 'a', reason: 'its interface is gone' },
    });
  });

  it('frees a pod whose namespace is gone, and lets the namespace go', async () => {
    const { attachments, engine, ipam, log } = daemon();
    const namespace = pod();
    await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
    namespace.delete();
    await attachments.check();
    expect(engine.ports.size + engine.routes.size).toBe(0);
    expect(ipam.map(({ taken }) => taken.size)).toEqual([0, 0]);
    expect(log.lines.at(-1)).toMatchObject({ fields: { id: 'a', reason: 'its network namespace is gone' } });
  });

  it('keeps a pod whose processes live on when its path is gone', async () => {
    const { attachments, engine } = daemon();
    const namespace = pod();
    const { spawn } = await import('node:child_process');
    const child = spawn('nsenter', [`--net=${namespace.path}`, 'sleep', '60']);
    try {
      await until(
        () => namespace.run('ip', 'netns', 'pids', namespace.name).includes(String(child.pid)),
        'the process',
      );
      await attachments.attach({ id: 'a', ifname: 'eth0', netns: namespace.path });
      namespace.delete();
      await attachments.check();
      expect(engine.ports.size).toBe(1);
    } finally {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    }
    for (let round = 0; round < 20; round++) await attachments.check();
    expect(engine.ports.size).toBe(0);
  });
});
