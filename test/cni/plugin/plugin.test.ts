// The verbs upon real interfaces in real namespaces; only the engine is a fake.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Attachments } from '../../../cni/attachments.ts';
import { emptyState } from '../../../cni/ipam/allocator.ts';
import { type Answer, Plugin } from '../../../cni/plugin/plugin.ts';
import { AttachmentStore } from '../../../cni/store.ts';
import { parsePrefix } from '../../../wire/prefix.ts';
import { FakeEngine } from '../../support/fake-engine.ts';
import { FakeForwards } from '../../support/fake-forwards.ts';
import { recordingLog } from '../../support/log.ts';
import { makeNamespace, type TestNamespace, until } from '../../support/pod-namespace.ts';

let folder: string;
let namespaces: TestNamespace[];
let node: ReturnType<typeof makeNode>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-plugin-'));
  namespaces = [];
  node = makeNode(['10.244.1.0/24', 'fd00:244:1::/64']);
});
afterEach(async () => {
  await node.engine.stop();
  await node.store.close();
  for (const namespace of namespaces) namespace.delete();
  rmSync(folder, { recursive: true });
});

function makeNode(cidrs: string[]) {
  const engine = new FakeEngine();
  const forwards = new FakeForwards();
  const log = recordingLog();
  const store = new AttachmentStore(folder, log);
  const attachments = new Attachments({
    store,
    ipam: emptyState(cidrs.map(parsePrefix)),
    ports: engine,
    routes: {
      add: (prefix, port) => engine.setRoute(prefix, [{ kind: 'port', port }]),
      remove: (prefix) => engine.removeRoute(prefix),
    },
    forwards,
    log,
    bootId: 'boot-1',
    queues: 1,
    offload: 1,
    mtu: () => 1450,
    gsoLimits: () => ({ maxSegments: 44, maxSize: 65536 }),
  });
  let drained = 0;
  let impairment: string | undefined;
  const plugin = new Plugin({
    attachments,
    cidrs: cidrs.map(parsePrefix),
    mtu: () => 1450,
    impairment: () => impairment,
    drainSpool: async () => void drained++,
    log,
  });
  const impair = (reason?: string) => {
    impairment = reason;
  };
  return { engine, forwards, store, attachments, plugin, impair, drained: () => drained };
}

function pod(): TestNamespace {
  const namespace = makeNamespace();
  namespaces.push(namespace);
  return namespace;
}

interface Options {
  readonly id?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly config?: object;
  readonly token?: string;
  readonly args?: string;
  readonly gone?: AbortSignal;
  readonly path?: string;
}

async function call(verb: string, options: Options = {}): Promise<Answer> {
  const { id = 'c1', netns = '', ifname = 'eth0', config = {}, token, args = '', gone } = options;
  const ofOnePod = !['GC', 'STATUS', 'VERSION'].includes(verb);
  const env = {
    CNI_COMMAND: verb,
    CNI_PATH: options.path ?? '/opt/cni/bin',
    ...(ofOnePod && { CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: ifname, CNI_ARGS: args }),
  };
  const stdin = JSON.stringify({ cniVersion: '1.1.0', name: 'fabric', type: 'weft-cni', ...config });
  const answer = await node.plugin.run({ env, stdin, token }, gone ?? new AbortController().signal);
  return JSON.parse(JSON.stringify(answer)) as Answer;
}

async function add(options: Options): Promise<Record<string, unknown>> {
  const { failed, output } = await call('ADD', options);
  if (failed) throw new Error(JSON.stringify(output));
  return output as Record<string, unknown>;
}

const refused = (code: number, msg: RegExp) => ({
  failed: true,
  later: code === 11,
  output: expect.objectContaining({ cniVersion: '1.1.0', code, msg: expect.stringMatching(msg) }),
});
const hasEth0 = (namespace: TestNamespace) => namespace.run('ip', '-o', 'link').includes(': eth0:');
const nothing = { failed: false };

describe('ADD', () => {
  it('makes the interface and says what it made', async () => {
    const namespace = pod();
    const result = await add({ netns: namespace.path, config: { dns: { nameservers: ['10.0.0.10'] } } });
    expect(result).toEqual({
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'eth0', mac: expect.stringMatching(/^02:58:/), mtu: 1450, sandbox: namespace.path },
      ],
      ips: [
        { address: '10.244.1.2/32', gateway: '10.244.1.1', interface: 0 },
        { address: 'fd00:244:1::2/128', gateway: 'fd00:244:1::1', interface: 0 },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      dns: { nameservers: ['10.0.0.10'] },
    });
    expect(namespace.run('ip', '-o', 'addr', 'show', 'dev', 'eth0')).toContain('10.244.1.2/32');
    expect(node.engine.routes.has('10.244.1.2/32')).toBe(true);
    expect(node.drained()).toBe(1);
  });

  it('honours addresses, MAC, MTU and ranges', async () => {
    const runtimeConfig = { ips: ['10.244.1.77'], mac: '02:AB:00:00:00:01' };
    const result = await add({ netns: pod().path, config: { mtu: 1300, runtimeConfig } });
    expect(result).toMatchObject({
      interfaces: [{ mac: '02:ab:00:00:00:01', mtu: 1300 }],
      ips: [{ address: '10.244.1.77/32' }, { address: 'fd00:244:1::2/128' }],
    });
    const ranges = [[{ subnet: '10.244.1.64/28', rangeStart: '10.244.1.70', gateway: '10.244.1.1' }]];
    expect(await add({ id: 'c2', netns: pod().path, config: { ranges } })).toMatchObject({
      ips: [{ address: '10.244.1.78/32' }],
    });
    expect(
      await add({ id: 'c3', netns: pod().path, args: 'IP=10.244.1.90;MAC=02:00:00:00:00:09' }),
    ).toMatchObject({
      interfaces: [{ mac: '02:00:00:00:00:09' }],
      ips: [{ address: '10.244.1.90/32' }, {}],
    });
  });

  it('passes prevResult on', async () => {
    const prevResult = {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'x0' }],
      ips: [{ address: '192.0.2.1/24' }],
    };
    const result = await add({ netns: pod().path, config: { cniVersion: '1.0.0', prevResult } });
    expect(result).toMatchObject({
      cniVersion: '1.0.0',
      interfaces: [{ name: 'x0' }, { name: 'eth0' }],
      ips: [{ address: '192.0.2.1/24' }, { interface: 1 }, { interface: 1 }],
    });
  });

  it('twice is an error that says so, and the first stays', async () => {
    const namespace = pod();
    await add({ netns: namespace.path, token: 't1' });
    expect(await call('ADD', { netns: namespace.path })).toEqual(
      refused(101, /c1 has an attachment eth0 already/),
    );
    expect(await call('ADD', { netns: namespace.path, token: 't2' })).toEqual(refused(101, /already/));
    expect(hasEth0(namespace)).toBe(true);
  });

  it('asked again by a caller that did not hear the answer gives the same answer', async () => {
    const namespace = pod();
    const first = await add({ netns: namespace.path, token: 't1' });
    expect(await add({ netns: namespace.path, token: 't1' })).toEqual(first);
  });

  it('is undone when the caller went away', async () => {
    const namespace = pod();
    const gone = AbortSignal.abort();
    expect(await call('ADD', { netns: namespace.path, gone })).toEqual(refused(11, /went away/));
    expect(hasEth0(namespace)).toBe(false);
    expect(node.attachments.list()).toEqual([]);
    expect(node.store.all()).toEqual([]);
  });

  it('is undone when a step fails', async () => {
    const namespace = pod();
    for (const failing of ['addPort', 'setRoute'] as const) {
      node.engine.failing = failing;
      expect(await call('ADD', { netns: namespace.path })).toEqual(refused(100, /injected/));
      expect(hasEth0(namespace)).toBe(false);
    }
    node.engine.failing = undefined;
    expect(node.store.all()).toEqual([]);
    expect(node.engine.routes.size).toBe(0);
    await add({ netns: namespace.path });
  });

  it('says what it cannot do', async () => {
    const namespace = pod();
    expect(await call('ADD', { netns: '/run/netns/nowhere' })).toEqual(refused(4, /^CNI_NETNS: .*nowhere/));
    expect(await call('ADD', { netns: '/proc/self/ns/net' })).toEqual(refused(4, /^CNI_NETNS: .*own/));
    const wanted = (ip: string) => ({ netns: namespace.path, config: { runtimeConfig: { ips: [ip] } } });
    expect(await call('ADD', wanted('10.9.9.9'))).toEqual(refused(102, /10\.9\.9\.9 is not in/));
    expect(await call('ADD', { netns: namespace.path, config: { mtu: 9000 } })).toEqual(
      refused(7, /9000.*1450/),
    );
    const gateway = [[{ subnet: '10.244.1.0/24', gateway: '10.244.1.254' }]];
    expect(await call('ADD', { netns: namespace.path, config: { ranges: gateway } })).toEqual(
      refused(2, /10\.244\.1\.254/),
    );
    namespace.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other');
    expect(await call('ADD', { netns: namespace.path })).toEqual(refused(103, /eth0 already/));
    expect(node.store.all()).toEqual([]);
  });

  it('on a full disk says so and leaves nothing, as DEL takes nothing away that it cannot write down', async () => {
    const [first, second] = [pod(), pod()];
    await node.engine.stop();
    await node.store.close();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
    try {
      node = makeNode(['10.244.1.0/24', 'fd00:244:1::/64']);
      await add({ id: 'first', netns: first.path });
      const filler = join(folder, 'filler');
      writeFileSync(filler, '');
      const fill = () => appendFileSync(filler, Buffer.alloc(1 << 20));
      expect(fill).toThrow('ENOSPC');
      // The page that the journal ends in takes some more entries, of which the last may be that of a DEL.
      let answer: Answer = nothing;
      for (let i = 0; i < 100 && !answer.failed; i++) {
        answer = await call('ADD', { id: 'second', netns: second.path });
        if (!answer.failed && (await call('DEL', { id: 'second' })).failed) {
          truncateSync(filler, statSync(filler).size - 4096);
          expect(await call('DEL', { id: 'second' })).toEqual(nothing);
        }
        expect(fill).toThrow('ENOSPC');
      }
      expect(answer).toEqual(refused(5, /ENOSPC/));
      expect(hasEth0(second)).toBe(false);
      expect(node.attachments.list().map(({ attachment }) => attachment.id)).toEqual(['first']);
      expect(await call('DEL', { id: 'first' })).toEqual(refused(5, /ENOSPC/));
      rmSync(filler);
      expect(await call('DEL', { id: 'first' })).toEqual(nothing);
      await add({ id: 'second', netns: second.path });
      await node.attachments.close();
      expect(node.store.all().map(({ id }) => id)).toEqual(['second']);
    } finally {
      execFileSync('umount', ['-l', folder]);
    }
  });

  it('of an exhausted range says so, and works again after a DEL', async () => {
    const ranges = [[{ subnet: '10.244.1.8/31' }]];
    for (const id of ['c1', 'c2']) await add({ id, netns: pod().path, config: { ranges } });
    const third = { id: 'c3', netns: pod().path, config: { ranges } };
    expect(await call('ADD', third)).toEqual(
      refused(102, /no free address left in 10\.244\.1\.8-10\.244\.1\.9/),
    );
    expect(await call('STATUS', { config: { ranges } })).toEqual(refused(50, /no free address/));
    expect(await call('STATUS')).toEqual(nothing);
    expect(await call('DEL', { id: 'c1' })).toEqual(nothing);
    expect(await add(third)).toMatchObject({ ips: [{ address: '10.244.1.8/32' }] });
  });
});

describe('DEL', () => {
  it('takes all away, also without namespace, and succeeds again and for unknown ids', async () => {
    const namespace = pod();
    await add({ netns: namespace.path });
    expect(await call('DEL')).toEqual(nothing);
    expect(node.engine.routes.size).toBe(0);
    expect(node.attachments.list()).toEqual([]);
    // The interface follows, and with it the lease.
    expect(node.store.all()).toMatchObject([{ phase: 'removing' }]);
    await until(() => node.store.all().length === 0, 'the end of the lease');
    expect(hasEth0(namespace)).toBe(false);
    expect(await call('DEL')).toEqual(nothing);
    expect(await call('DEL', { id: 'never-seen', netns: '/run/netns/never' })).toEqual(nothing);
  });

  it('succeeds when the namespace or the interface is gone already', async () => {
    const [first, second] = [pod(), pod()];
    await add({ netns: first.path });
    first.delete();
    expect(await call('DEL', { netns: first.path })).toEqual(nothing);
    await add({ id: 'c2', netns: second.path });
    second.run('ip', 'link', 'del', 'eth0');
    expect(await call('DEL', { id: 'c2', netns: second.path })).toEqual(nothing);
    await until(() => node.store.all().length === 0, 'the end of both leases');
  });

  it('of a daemon that ends before the interface is gone is finished by the next', async () => {
    const namespace = pod();
    await add({ netns: namespace.path });
    const ended = node.engine.stop.bind(node.engine);
    expect(await call('DEL')).toEqual(nothing);
    const [left] = node.store.all();
    await until(() => node.store.all().length === 0, 'the end of the lease');
    // What a crash right after the answer leaves: the interface and the record.
    await add({ netns: namespace.path });
    await ended();
    await node.store.put(left);
    await node.store.close();
    node = makeNode(['10.244.1.0/24']);
    await node.attachments.recover();
    expect(hasEth0(namespace)).toBe(false);
    expect(node.store.all()).toEqual([]);
  });

  it('holds up an ADD of the same name until the interface is gone, and no other', async () => {
    const [first, second] = [pod(), pod()];
    await add({ netns: first.path });
    expect(await call('DEL')).toEqual(nothing);
    expect(node.store.all()).toHaveLength(1);
    await Promise.all([add({ netns: first.path }), add({ id: 'c2', netns: second.path })]);
    expect([hasEth0(first), hasEth0(second)]).toEqual([true, true]);
    expect(node.store.all().map(({ phase }) => phase)).toEqual(['ready', 'ready']);
  });
});

describe('bandwidth', () => {
  // As containerd 1.6 sends it: keys capitalised, and a burst of 2^32 - 1 where Kubernetes knows none.
  const runtimeConfig = {
    Bandwidth: { IngressRate: 1e7, IngressBurst: 2 ** 32 - 1, EgressRate: 2e7, EgressBurst: 500_000 },
  };
  const limits = { ingress: { rate: 1e7, burst: 100_000 }, egress: { rate: 2e7, burst: 500_000 } };

  it('is what the port is made with, also by the next daemon', async () => {
    await add({ netns: pod().path, config: { runtimeConfig } });
    expect([...node.engine.ports.values()]).toEqual([expect.objectContaining({ limits })]);
    await node.engine.stop();
    await node.store.close();
    node = makeNode(['10.244.1.0/24', 'fd00:244:1::/64']);
    await node.attachments.recover();
    expect([...node.engine.ports.values()]).toEqual([expect.objectContaining({ limits })]);
  });

  it('is compared by CHECK', async () => {
    const namespace = pod();
    const prevResult = await add({ netns: namespace.path, config: { runtimeConfig } });
    const check = (bandwidth: object) =>
      call('CHECK', { netns: namespace.path, config: { prevResult, runtimeConfig: { bandwidth } } });
    expect(await check(runtimeConfig.Bandwidth)).toEqual(nothing);
    expect(await check({})).toEqual(nothing);
    expect(await check({ ...runtimeConfig.Bandwidth, EgressRate: 1e6 })).toEqual(
      refused(104, /bandwidth\.egressRate was 1000000, eth0 has 20000000/),
    );
  });

  it('none leaves the port without limits', async () => {
    await add({
      netns: pod().path,
      config: { runtimeConfig: { bandwidth: { ingressRate: 0, ingressBurst: 0 } } },
    });
    expect([...node.engine.ports.values()][0]).not.toHaveProperty('limits');
  });
});

describe('CHECK', () => {
  const check = (namespace: TestNamespace, prevResult: object) =>
    call('CHECK', { netns: namespace.path, config: { prevResult } });

  it('is silent when all is as it was made', async () => {
    const namespace = pod();
    const result = await add({ netns: namespace.path });
    expect(await check(namespace, result)).toEqual(nothing);
    // What plugins behind ours may do.
    namespace.run('ip', 'link', 'set', 'eth0', 'mtu', '1400');
    expect(await check(namespace, { ...result, dns: { domain: 'x' }, routes: [] })).toEqual(nothing);
  });

  const changes: [string, string[], RegExp][] = [
    ['the interface is gone', ['link', 'del', 'eth0'], /eth0 is gone/],
    ['it is down', ['link', 'set', 'eth0', 'down'], /eth0 is down/],
    ['its address is gone', ['addr', 'del', '10.244.1.2/32', 'dev', 'eth0'], /no longer has 10\.244\.1\.2/],
    ['its default route is gone', ['route', 'del', 'default'], /no IPv4 default route/],
  ];
  it.each(changes)('says when %s', async (_, command, message) => {
    const namespace = pod();
    const result = await add({ netns: namespace.path });
    namespace.run('ip', ...command);
    expect(await check(namespace, result)).toEqual(refused(104, message));
  });

  it('compares what the runtime remembers', async () => {
    const namespace = pod();
    const result = await add({ netns: namespace.path });
    const [eth0] = result.interfaces as object[];
    const [, v6] = result.ips as object[];
    expect(await check(namespace, { ...result, ips: [v6] })).toEqual(
      refused(104, /prevResult has fd00.*leased is 10/),
    );
    expect(await check(namespace, { ...result, interfaces: [] })).toEqual(refused(104, /no interface eth0/));
    const other = [{ ...eth0, mac: '02:58:00:00:00:00' }];
    expect(await check(namespace, { ...result, interfaces: other })).toEqual(refused(104, /MAC/));
    expect(await call('CHECK', { netns: namespace.path })).toEqual(refused(7, /prevResult/));
    expect(await call('CHECK', { netns: pod().path, config: { prevResult: result } })).toEqual(
      refused(4, /^CNI_NETNS/),
    );
    expect(await call('CHECK', { id: 'no', netns: namespace.path, config: { prevResult: result } })).toEqual(
      refused(3, /no has no attachment/),
    );
  });
});

describe('STATUS', () => {
  it('says whether pods of other nodes are in reach, whoever gives the addresses', async () => {
    const ipam = { ipam: { type: 'test-ipam' } };
    node.impair('the interface u0 of 192.168.77.1 is down');
    for (const config of [{}, ipam]) {
      expect(await call('STATUS', { config })).toEqual(refused(51, /^the interface u0 .* is down$/));
    }
    node.impair();
    expect(await call('STATUS')).toEqual(nothing);
  });
});

describe('GC', () => {
  const ids = () => node.attachments.list().map(({ attachment }) => attachment.id);
  const collect = (config: object) => call('GC', { config });

  it('removes what is not in the list, of its network only', async () => {
    for (const id of ['c1', 'c2', 'c3']) await add({ id, netns: pod().path });
    await add({ id: 'other', netns: pod().path, config: { name: 'another' } });
    await node.attachments.attach({ id: 'by-hand', ifname: 'eth0', netns: pod().path });
    expect(await collect({})).toEqual(nothing); // A list that is missing says nothing.
    expect(ids()).toHaveLength(5);
    const valid = [
      { containerID: 'c2', ifname: 'eth0' },
      { containerID: 'c3', ifname: 'eth1' },
    ];
    expect(await collect({ 'cni.dev/valid-attachments': valid })).toEqual(nothing);
    expect(ids().sort()).toEqual(['by-hand', 'c2', 'other']);
    expect(await collect({ 'cni.dev/valid-attachments': [] })).toEqual(nothing);
    expect(ids().sort()).toEqual(['by-hand', 'other']);
  });
});

describe('the answer', () => {
  it('to VERSION needs no configuration but JSON', async () => {
    const answer = await node.plugin.run(
      { env: { CNI_COMMAND: 'VERSION' }, stdin: '{"cniVersion":"1.0.0"}' },
      new AbortController().signal,
    );
    expect(answer).toMatchObject({ failed: false, output: { cniVersion: '1.0.0' } });
  });

  it('is in the version of the request, also when it is an error', async () => {
    expect(await call('ADD', { config: { cniVersion: '0.4.0' } })).toMatchObject({
      failed: true,
      output: { cniVersion: '0.4.0', code: 4 },
    });
    expect(await call('ADD', { config: { cniVersion: '7.0.0' } })).toMatchObject({
      output: { cniVersion: '1.1.0', code: 1 },
    });
  });
});

// Keeps a file a lease, as host-local does, and a list of the verbs it was asked; gives what `ipam.give` says.
const IPAM = `#!${process.execPath}
const { appendFileSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const config = JSON.parse(readFileSync(0, 'utf8'));
const verb = process.env.CNI_COMMAND;
const { give, refuse, garbage, folder } = config.ipam;
appendFileSync(folder + '/verbs', verb + ' ');
const lease = folder + '/lease-' + process.env.CNI_CONTAINERID;
const fail = (code, msg) => {
  process.stdout.write(JSON.stringify({ cniVersion: config.cniVersion, code, msg }));
  process.exit(1);
};
if (verb === refuse) fail(11, 'no server');
if (verb === 'GC' || verb === 'STATUS') fail(4, 'unknown CNI_COMMAND: ' + verb);
if (verb === 'DEL') rmSync(lease, { force: true });
if (verb === 'ADD') {
  writeFileSync(lease, '');
  process.stderr.write('one line');
  process.stdout.write(garbage ?? JSON.stringify({ cniVersion: config.cniVersion, ...give }));
}
`;

describe('delegated IPAM', () => {
  beforeEach(() => {
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/test-ipam'), IPAM, { mode: 0o755 });
  });

  const give = {
    ips: [{ address: '10.244.1.50/24', gateway: '10.244.1.1' }, { address: 'fd00:9::5/64' }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.244.1.1' }, { dst: '10.96.0.0/12' }],
    dns: { domain: 'given' },
  };
  const path = () => `/nowhere:${join(folder, 'bin')}`;
  const delegated = (netns: string, ipam: object = {}, id = 'c1'): Options => ({
    id,
    netns,
    path: path(),
    config: { ipam: { type: 'test-ipam', folder, give, ...ipam } },
  });
  const verbs = () => readFileSync(join(folder, 'verbs'), 'utf8').trim().split(' ');
  const leases = () => readdirSync(folder).filter((name) => name.startsWith('lease-'));

  it('gives the addresses; every verb is passed on', async () => {
    const namespace = pod();
    const options = delegated(namespace.path);
    const result = await add(options);
    expect(result).toMatchObject({
      ips: [
        { address: '10.244.1.50/24', gateway: '10.244.1.1', interface: 0 },
        { address: 'fd00:9::5/64', interface: 0 },
      ],
      routes: [{ dst: '0.0.0.0/0', gw: '10.244.1.1' }, { dst: '10.96.0.0/12' }, { dst: '::/0' }],
      dns: { domain: 'given' },
    });
    expect(namespace.run('ip', 'route').trim().split(' \n')).toEqual([
      'default via 10.244.1.1 dev eth0 proto static',
      '10.96.0.0/12 dev eth0 proto static scope link',
      '10.244.1.1 dev eth0 proto static scope link',
    ]);
    const addresses = namespace.run('ip', '-o', 'addr', 'show', 'dev', 'eth0');
    expect(addresses).toContain('10.244.1.50/32');
    expect(addresses).toContain('fd00:9::5/128');
    const check = { ...options, config: { ...options.config, prevResult: result } };
    expect(await call('CHECK', check)).toEqual(nothing);
    expect(await call('STATUS', options)).toEqual(nothing);
    const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] };
    expect(await call('GC', { ...options, config: { ...options.config, ...valid } })).toEqual(nothing);
    expect(await call('DEL', { ...options, netns: '' })).toEqual(nothing);
    expect(verbs()).toEqual(['ADD', 'CHECK', 'STATUS', 'GC', 'DEL']);
    expect(leases()).toEqual([]);
    await until(() => node.store.all().length === 0, 'the end of the lease');
  });

  it('has back what it gave when it cannot be used', async () => {
    await add({ id: 'first', netns: pod().path, config: { runtimeConfig: { ips: ['10.244.1.50'] } } });
    const netns = pod().path;
    expect(await call('ADD', delegated(netns))).toEqual(
      refused(102, /10\.244\.1\.50 is in use by another pod/),
    );
    const own = { give: { ips: [{ address: '10.244.1.1/24' }] } };
    expect(await call('ADD', delegated(netns, own))).toEqual(refused(102, /the node's own address/));
    const two = { give: { ips: [{ address: '10.9.0.2/24' }, { address: '10.9.0.3/24' }] } };
    expect(await call('ADD', delegated(netns, two))).toEqual(refused(102, /one address a family/));
    expect(await call('ADD', delegated(netns, { give: {} }))).toEqual(refused(100, /gave no address/));
    expect(await call('ADD', delegated(netns, { garbage: '<html>' }))).toEqual(
      refused(6, /test-ipam ADD.*JSON/),
    );
    expect(leases()).toEqual([]);
    expect(verbs().join(' ')).toBe(Array(5).fill('ADD DEL').join(' '));
    expect(node.attachments.list()).toHaveLength(1);
  });

  it('does not give an address outside the node’s ranges twice either', async () => {
    const outside = { give: { ips: [{ address: '10.9.0.2/24' }] } };
    await add(delegated(pod().path, outside));
    expect(await call('ADD', delegated(pod().path, outside, 'c2'))).toEqual(
      refused(102, /10\.9\.0\.2 is in use/),
    );
    expect(await call('DEL', delegated('', outside))).toEqual(nothing);
    await add(delegated(pod().path, outside, 'c2'));
  });

  it('is not asked again by a second ADD, whose failure frees nothing', async () => {
    const options = delegated(pod().path);
    await add(options);
    expect(await call('ADD', options)).toEqual(refused(101, /already/));
    expect(verbs()).toEqual(['ADD']);
    expect(leases()).toEqual(['lease-c1']);
  });

  it('is asked anew for a caller that did not hear the answer', async () => {
    const options = { ...delegated(pod().path), token: 't1' };
    const first = await add(options);
    expect(await add(options)).toEqual(first);
    expect(verbs()).toEqual(['ADD', 'DEL', 'ADD']);
    expect(await call('ADD', { ...options, token: 't2' })).toEqual(refused(101, /already/));
    expect(node.attachments.list()).toHaveLength(1);
  });

  it('refuses in its own words, and its DEL has to succeed', async () => {
    expect(await call('ADD', delegated(pod().path, { refuse: 'ADD' }))).toEqual(
      refused(11, /test-ipam ADD: no server/),
    );
    expect(await call('DEL', delegated('', { refuse: 'DEL' }))).toEqual(
      refused(11, /test-ipam DEL: no server/),
    );
    expect(await call('STATUS', delegated('', { refuse: 'STATUS' }))).toEqual(
      refused(11, /test-ipam STATUS/),
    );
    writeFileSync(join(folder, 'bin/dhcp'), IPAM, { mode: 0o755 });
    const dhcp = (more: object) => delegated(pod().path, { type: 'dhcp', ...more });
    expect(await call('ADD', dhcp({ refuse: 'ADD' }))).toEqual(
      refused(11, /dhcp ADD: no server; .* has no Ethernet/),
    );
    // One that needs none is as good as any other.
    expect(await call('ADD', dhcp({}))).toMatchObject({ failed: false });
    await call('DEL', dhcp({}));
    const missing = { ...delegated(pod().path), path: '/nowhere' };
    expect(await call('ADD', missing)).toEqual(refused(7, /no plugin "test-ipam" in CNI_PATH \(\/nowhere\)/));
    // Only that of the pod that was there, which ends with its interface.
    await until(() => node.store.all().length === 0, 'the end of the lease');
  });
});
