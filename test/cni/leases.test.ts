// What `weft ipam check` finds and frees, on state that no healthy daemon has.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Attachments } from '../../cni/attachments.ts';
import { emptyState, take } from '../../cni/ipam/allocator.ts';
import { Leases } from '../../cni/leases.ts';
import { AttachmentStore } from '../../cni/store.ts';
import { parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { FakeForwards } from '../support/fake-forwards.ts';
import { recordingLog } from '../support/log.ts';
import { makeNamespace, type TestNamespace } from '../support/pod-namespace.ts';

let folder: string;
let namespaces: TestNamespace[];
let store: AttachmentStore;
let engine: FakeEngine;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-leases-'));
  namespaces = [];
  engine = new FakeEngine();
  store = new AttachmentStore(folder, recordingLog());
});
afterEach(async () => {
  await engine.stop();
  await store.close();
  for (const namespace of namespaces) namespace.delete();
  rmSync(folder, { recursive: true });
});

function pod(): TestNamespace {
  const namespace = makeNamespace();
  namespaces.push(namespace);
  return namespace;
}

function node(cidrs: string[]) {
  const ipam = emptyState(cidrs.map(parsePrefix));
  const attachments = new Attachments({
    store,
    ipam,
    ports: engine,
    routes: { add: () => {}, remove: () => {} },
    forwards: new FakeForwards(),
    log: recordingLog(),
    bootId: 'boot-1',
    queues: 1,
    offload: 0,
    mtu: () => 1450,
    gsoLimits: () => ({ maxSegments: 44, maxSize: 65536 }),
  });
  return { ipam, attachments, leases: new Leases({ attachments, ipam, store }) };
}

const problems = async (leases: Leases, fix = false) =>
  (await leases.check(fix)).map(({ id = '', ip = '', problem, fixed }) => [id, ip, problem, fixed]);

describe('check', () => {
  it('finds pods whose interface or namespace is gone, and frees them', async () => {
    const { attachments, leases } = node(['10.244.1.0/24']);
    const [a, b, c] = [pod(), pod(), pod()];
    for (const [id, { path }] of Object.entries({ a, b, c })) {
      await attachments.attach({ id, ifname: 'eth0', netns: path });
    }
    expect(await problems(leases)).toEqual([]);
    a.run('ip', 'link', 'del', 'eth0');
    b.delete();
    const found = (fixed: boolean) => [
      ['a', '10.244.1.2', 'its interface eth0 is gone', fixed],
      ['b', '10.244.1.3', `its network namespace ${b.path} is gone`, fixed],
    ];
    expect(await problems(leases)).toEqual(found(false));
    expect(await problems(leases, true)).toEqual(found(true));
    expect(await problems(leases)).toEqual([]);
    expect(attachments.list().map(({ attachment }) => attachment.id)).toEqual(['c']);
    expect(leases.ranges()).toEqual([{ range: '10.244.1.0/24', size: 253, used: 1, resting: 2 }]);
  });

  it('finds addresses and records of nobody, and frees them', async () => {
    const { attachments, ipam, leases } = node(['10.244.1.0/24']);
    const kept = await attachments.attach({ id: 'a', ifname: 'eth0', netns: pod().path });
    take(ipam, parseAddress('10.244.1.9'));
    await store.put({ ...kept, id: 'ghost', phase: 'creating' });
    const found = (fixed: boolean) => [
      ['ghost', '', 'is on disk, but no pod of this daemon', fixed],
      ['', '10.244.1.9', 'is taken by no pod', fixed],
    ];
    expect(await problems(leases)).toEqual(found(false));
    expect(await problems(leases, true)).toEqual(found(true));
    expect(await problems(leases)).toEqual([]);
    expect(store.all().map(({ id }) => id)).toEqual(['a']);
  });

  it('finds what it cannot put right: an address outside the ranges, and one that two have', async () => {
    const before = node(['10.244.1.0/24']);
    const a = await before.attachments.attach({ id: 'a', ifname: 'eth0', netns: pod().path });
    const b = await before.attachments.attach({ id: 'b', ifname: 'eth0', netns: pod().path });
    await store.put({ ...b, ips: a.ips });
    await engine.stop();
    const { attachments, leases } = node(['10.9.0.0/24']);
    await attachments.recover();
    const found = await leases.check(true);
    expect(found).toMatchObject([
      { id: 'a', problem: '10.244.1.2 is in no range of pods.cidrs', fixed: false },
      { id: 'b', problem: '10.244.1.2 is in no range of pods.cidrs', fixed: false },
      { id: 'b', ip: '10.244.1.2', problem: 'a/eth0 has the same address', fixed: false },
    ]);
    expect(attachments.list()).toHaveLength(2);
  });

  it('does not take what is under way for something wrong', async () => {
    const { attachments, leases } = node(['10.244.1.0/24']);
    const { path } = pod();
    const attaching = attachments.attach({ id: 'a', ifname: 'eth0', netns: path });
    expect(await problems(leases, true)).toEqual([]);
    await attaching;
    expect(await problems(leases)).toEqual([]);
  });
});
