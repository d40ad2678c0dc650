// A daemon that is killed in each step of ADD and of DEL, one after the other: what the next one finds is the pod, whole, or
// nothing, and either way the same can be asked for again.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Attachments } from '../../cni/attachments.ts';
import { emptyState } from '../../cni/ipam/allocator.ts';
import { Leases } from '../../cni/leases.ts';
import { AttachmentStore } from '../../cni/store.ts';
import { formatAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { compiled } from '../support/compiled.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { FakeForwards } from '../support/fake-forwards.ts';
import { recordingLog } from '../support/log.ts';
import { makeNamespace, type TestNamespace } from '../support/pod-namespace.ts';

/**
 * A process with attachments whose surroundings count the steps, before and after each call, and kill the process in the one that
 * it is told. Says how many there are when it is not killed.
 */
const DAEMON = `
const [code, folder, netns, verb, last] = process.argv.slice(1);
const { Attachments } = await import(code + '/cni/attachments.js');
const { AttachmentStore } = await import(code + '/cni/store.js');
const { emptyState } = await import(code + '/cni/ipam/allocator.js');
const { parsePrefix } = await import(code + '/wire/prefix.js');
let steps = 0;
let counting = false;
const step = () => {
  if (!counting || ++steps !== Number(last)) return;
  process.kill(process.pid, 'SIGKILL');
  for (;;);
};
const stepped = (object, ...names) => {
  for (const name of names) {
    const call = object[name].bind(object);
    object[name] = (...args) => {
      step();
      const result = call(...args);
      if (!(result instanceof Promise)) return step(), result;
      return result.then((value) => (step(), value));
    };
  }
  return object;
};
const log = { info() {}, warn() {}, error() {} };
const store = stepped(new AttachmentStore(folder, log), 'put', 'remove');
const attachments = new Attachments({
  store,
  ipam: emptyState([parsePrefix('10.244.1.0/24'), parsePrefix('fd00:244:1::/64')]),
  ports: stepped({ addPort: () => 1, removePort: async () => {}, deadPorts: () => [] }, 'addPort', 'removePort'),
  routes: stepped({ add: async () => {}, remove() {} }, 'add', 'remove'),
  forwards: stepped({ forward: async () => {}, missing: async () => [] }, 'forward'),
  log,
  bootId: 'boot-1',
  queues: 1,
  offload: 1,
  mtu: () => 1450,
  gsoLimits: () => ({ maxSegments: 44, maxSize: 65536 }),
});
const portMappings = [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }];
const name = { id: 'pod', ifname: 'eth0' };
counting = verb === 'ADD';
await attachments.attach({ ...name, netns, portMappings });
counting = verb === 'DEL';
if (verb === 'DEL') {
  await attachments.dismiss(name);
  process.stdout.write('answered\\n');
  await attachments.close();
}
process.stdout.write('steps ' + steps + '\\n');
`;

let folder: string;
let namespaces: TestNamespace[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-kill-'));
  namespaces = [];
});
afterEach(() => {
  for (const namespace of namespaces) namespace.delete();
  rmSync(folder, { recursive: true });
});

const hasEth0 = (namespace: TestNamespace) => namespace.run('ip', '-o', 'link').includes(': eth0:');
const portMappings = [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 } as const];

/** What the next daemon makes of what is left. */
function nextDaemon(state: string) {
  const [engine, forwards, log] = [new FakeEngine(), new FakeForwards(), recordingLog()];
  const store = new AttachmentStore(state, log);
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
    queues: 1,
    offload: 1,
    mtu: () => 1450,
    gsoLimits: () => ({ maxSegments: 44, maxSize: 65536 }),
  });
  return {
    engine,
    forwards,
    log,
    store,
    ipam,
    attachments,
    leases: new Leases({ attachments, ipam, store }),
  };
}

it.each(['ADD', 'DEL'])('%s', { timeout: 120_000 }, async (verb) => {
  const found = { pod: 0, nothing: 0 };
  let whole: number | undefined;
  for (let last = 1; whole === undefined; last++) {
    const namespace = makeNamespace();
    namespaces.push(namespace);
    const state = join(folder, `${last}`);
    const args = [compiled(), state, namespace.path, verb, `${last}`];
    const { stdout, stderr, signal } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', DAEMON, ...args],
      {
        encoding: 'utf8',
      },
    );
    if (signal !== 'SIGKILL') {
      expect(stderr).toBe('');
      whole = Number(/^steps (\d+)$/m.exec(stdout)?.[1]);
      expect(whole).toBe(last - 1);
    }
    const context = `killed in step ${last}`;
    const next = nextDaemon(state);
    const { attachments, engine, forwards, leases, store } = next;
    await attachments.recover();
    const [pod] = attachments.list();
    expect(await leases.check(false), context).toEqual([]);
    expect(hasEth0(namespace), context).toBe(pod !== undefined);
    expect([engine.ports.size, engine.routes.size, forwards.list.length], context).toEqual(
      pod ? [1, 2, 2] : [0, 0, 0],
    );
    expect(store.all(), context).toEqual(pod ? [pod.attachment] : []);
    found[pod ? 'pod' : 'nothing']++;
    // What was answered is so: an ADD that has ended is there, a DEL that was answered is done.
    if (verb === 'ADD' && signal === null) expect(pod, context).toBeDefined();
    if (stdout.includes('answered')) expect(pod, context).toBeUndefined();

    // A runtime that has heard no answer deletes and asks anew.
    const name = { id: 'pod', ifname: 'eth0' };
    await attachments.detach(name);
    const other = makeNamespace();
    namespaces.push(other);
    const again = await attachments.attach({ ...name, netns: namespace.path, portMappings });
    const beside = await attachments.attach({ id: 'other', ifname: 'eth0', netns: other.path });
    expect(new Set([...again.ips, ...beside.ips].map(formatAddress)).size, context).toBe(4);
    expect(await leases.check(false), context).toEqual([]);
    await engine.stop();
    await store.close();
  }
  // Both endings have been seen, and enough steps for it to have been all of them.
  expect(whole).toBeGreaterThan(verb === 'ADD' ? 9 : 11);
  expect(
    Object.values(found).every((count) => count > 0),
    JSON.stringify(found),
  ).toBe(true);
  console.log(`${verb}: ${whole} steps, ${JSON.stringify(found)}`);
});
