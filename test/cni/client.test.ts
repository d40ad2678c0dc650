// The plugin as a runtime executes it, against a daemon, without one, and with one that ends in between.
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { thinClient } from '../../cni/thin-client/program.ts';
import type { Pod } from '../../control/service.ts';
import { beginCni, type CniCall, type CniResult, cni } from '../support/cni.ts';
import { compiled } from '../support/compiled.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import { type TestNamespace, until } from '../support/pod-namespace.ts';
import { type Daemon, socketFile } from '../support/weft.ts';

/** The client as a script, as on any machine, and as the executable that x86-64 has. */
const clients = process.arch === 'x64' ? (['script', 'executable'] as const) : (['script'] as const);

let world: NodeWorld;
let command: string[];
let socket: string;
let pod: TestNamespace;

beforeEach(() => {
  world = makeNodeWorld();
  socket = socketFile(world.folder);
  pod = world.namespace();
});
afterEach(() => world.close());

/** @param node that the executable becomes when something is out of the ordinary */
function useClient(kind: (typeof clients)[number], node = process.execPath) {
  beforeEach(() => {
    const client = join(compiled(), 'cni/client.js');
    const file = join(world.folder, 'weft-cni');
    command = kind === 'script' ? [process.execPath, client] : [file];
    const bytes = thinClient({ socket, node, client, mark: 'weft' });
    writeFileSync(file, bytes, { mode: 0o755 });
  });
}

const call = (verb: string, more: Partial<CniCall> = {}) =>
  cni(verb, { socket, netns: pod.path, command, ...more });
const done = { status: 0, stdout: '', stderr: '' };
const refused = (code: number, msg: RegExp) =>
  expect.objectContaining({
    status: 1,
    stderr: '',
    output: expect.objectContaining({ cniVersion: '1.1.0', code, msg: expect.stringMatching(msg) }),
  });
const hasEth0 = (namespace = pod) => namespace.run('ip', '-o', 'link').includes(': eth0:');
const pods = async (daemon: Daemon) => (await daemon.json<Pod[]>('pods')).map(({ id }) => id);
const spooled = () => (existsSync(`${socket}.spool`) ? readdirSync(`${socket}.spool`) : []);

async function added(more: Partial<CniCall> = {}): Promise<CniResult> {
  const result = await call('ADD', more);
  expect(result).toMatchObject({ status: 0, stderr: '' });
  return result;
}

describe.each(clients)('%s with a daemon', (kind) => {
  useClient(kind, '/nowhere/node'); // Nothing is.

  it('carries out a pod from ADD to DEL, and the pod reaches the node when ADD has returned', async () => {
    const daemon = await world.start();
    const { stdout, output } = await added();
    expect(output?.ips?.[0]).toEqual({ address: '10.244.1.2/32', gateway: '10.244.1.1', interface: 0 });
    pod.run('ping', '-c1', '-W2', '10.244.1.1');
    const prevResult = JSON.parse(stdout);
    expect(await call('CHECK', { config: { prevResult } })).toMatchObject(done);
    expect(await call('STATUS')).toMatchObject(done);
    expect(await call('ADD')).toEqual(refused(101, /already/));
    const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] };
    expect(await call('GC', { config: valid })).toMatchObject(done);
    expect(await pods(daemon)).toEqual(['c1']);
    expect(await call('DEL')).toMatchObject(done);
    await until(() => !hasEth0(), 'the end of the interface');
    // As containerd does it.
    expect(await call('DEL', { netns: '' })).toMatchObject(done);
    expect(await pods(daemon)).toEqual([]);
    await added();
    expect(await call('GC', { config: { 'cni.dev/valid-attachments': [] } })).toMatchObject(done);
    expect(await pods(daemon)).toEqual([]);
  });

  it('serves many at once, each with addresses of its own', { timeout: 60_000 }, async () => {
    const daemon = await world.start();
    const many = Array.from({ length: 12 }, (_, i) => ({ id: `c${i}`, netns: world.namespace().path }));
    const results = await Promise.all(many.map((one) => added(one)));
    const given = results.flatMap(({ output }) => output?.ips?.map(({ address }) => address) ?? []);
    expect(new Set(given).size).toBe(24);
    await Promise.all(many.map(async (one) => expect(await call('DEL', one)).toMatchObject(done)));
    expect(await pods(daemon)).toEqual([]);
  });

  it('hands on the whole of a long configuration and answer', async () => {
    const daemon = await world.start();
    await added();
    const valid = Array.from({ length: 20_000 }, (_, i) => ({ containerID: `other${i}`, ifname: 'eth0' }));
    const list = { 'cni.dev/valid-attachments': [...valid, { containerID: 'c1', ifname: 'eth0' }] };
    expect(await call('GC', { config: list })).toMatchObject(done);
    expect(await pods(daemon)).toEqual(['c1']);
    const routes = Array.from({ length: 5000 }, (_, i) => ({ dst: `10.${i >> 8}.${i & 255}.0/24` }));
    const { stdout } = await added({ ifname: 'eth1', config: { prevResult: { routes } } });
    expect(JSON.parse(stdout).routes).toHaveLength(5002);
  });

  it('takes back what it made for a caller that went away', async () => {
    const daemon = await world.start();
    const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: pod.path };
    const body = JSON.stringify({ env, stdin: JSON.stringify({ cniVersion: '1.1.0', name: 'fabric' }) });
    const head = `POST /v1/cni HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    // The daemon finds both, the request and its end, when it goes on.
    daemon.child.kill('SIGSTOP');
    const connection = connect(socket);
    await new Promise<void>((resolve) => {
      connection.write(`${head}\r\n\r\n${body}`, () => resolve());
    });
    await new Promise((resolve) => connection.once('close', resolve).destroy());
    daemon.child.kill('SIGCONT');
    // Said after the attachment is undone.
    await until(() => daemon.stderr().includes('the caller went away'), 'the attachment to be undone');
    expect(daemon.messages()).toContain('pod detached');
    expect(hasEth0()).toBe(false);
    expect(await pods(daemon)).toEqual([]);
  });

  it('whenever its caller is killed, the DEL that follows leaves nothing', async () => {
    const daemon = await world.start();
    for (let i = 0; i < 8; i++) {
      const id = `killed${i}`;
      const { child, ended } = beginCni('ADD', { socket, netns: pod.path, id, command });
      await new Promise((resolve) => setTimeout(resolve, 30 + i * 6));
      child.kill('SIGKILL');
      await ended;
      expect(await call('DEL', { id })).toMatchObject(done);
      await until(() => !hasEth0(), 'the end of the interface');
    }
    expect(await pods(daemon)).toEqual([]);
  });
});

describe.each(clients)('%s without a daemon', (kind) => {
  useClient(kind);

  it('answers VERSION, whatever is on stdin', async () => {
    for (const stdin of ['{"cniVersion":"0.4.0"}', '', 'x']) {
      const { status, output } = await call('VERSION', { stdin });
      expect(status).toBe(0);
      expect(output?.supportedVersions).toContain('1.1.0');
      expect(output?.cniVersion).toBe(stdin.includes('0.4.0') ? '0.4.0' : '1.1.0');
    }
  });

  it('says of STATUS 50, of CHECK and GC 11, and what is wrong with the call', async () => {
    expect(await call('STATUS')).toEqual(refused(50, /cannot reach the weft daemon on .*weft\.sock/));
    expect(await call('CHECK')).toEqual(refused(11, /cannot reach/));
    expect(await call('GC')).toEqual(refused(11, /weft node --config/));
    expect(await call('PUT')).toEqual(refused(4, /^CNI_COMMAND/));
    expect(await call('ADD', { stdin: '{' })).toEqual(refused(6, /not valid JSON/));
    expect(await call('ADD', { config: { socket: 'weft.sock' } })).toEqual(
      refused(7, /^socket: "weft\.sock"/),
    );
  });

  it('waits in ADD, then says: try again later', async () => {
    const result = await call('ADD');
    expect(result).toEqual(refused(11, /cannot reach/));
    expect(result.milliseconds).toBeGreaterThan(9_000);
    expect(result.milliseconds).toBeLessThan(15_000);
  });

  it('is served in ADD by one that starts meanwhile', async () => {
    const waiting = call('ADD');
    const daemon = await world.start();
    expect(await waiting).toMatchObject({ status: 0 });
    expect(await pods(daemon)).toEqual(['c1']);
  });

  it('spools DEL; the next daemon carries it out before it serves', async () => {
    const first = await world.start();
    await added();
    await first.stop('SIGKILL');
    expect(await call('DEL')).toMatchObject(done);
    expect(await call('DEL')).toMatchObject(done);
    expect(hasEth0()).toBe(true);
    expect(spooled()).toHaveLength(2);
    const again = call('ADD'); // Of the same name: it must come after.
    const next = await world.start();
    expect(await again).toMatchObject({ status: 0 });
    expect(spooled()).toEqual([]);
    expect(await pods(next)).toEqual(['c1']);
    expect(hasEth0()).toBe(true);
  });

  it('what is spooled when one runs is carried out too; what does not read is dropped', async () => {
    const daemon = await world.start();
    await added();
    const elsewhere = join(world.folder, 'nowhere.sock');
    expect(await call('DEL', { socket: elsewhere })).toMatchObject(done);
    const [name] = readdirSync(`${elsewhere}.spool`);
    expect(name).toMatch(/\.json$/);
    expect(hasEth0()).toBe(true);
    mkdirSync(`${socket}.spool`);
    writeFileSync(`${socket}.spool/0-broken.json`, '{');
    writeFileSync(`${socket}.spool/0-half.json.new`, '{');
    renameSync(`${elsewhere}.spool/${name}`, `${socket}.spool/${name}`);
    await until(() => spooled().length === 1, 'the end of the entries');
    expect(spooled()).toEqual(['0-half.json.new']);
    await until(() => !hasEth0(), 'the end of the interface');
    expect(await pods(daemon)).toEqual([]);
    expect(daemon.messages()).toContain('a spooled deletion does not read and is dropped');
  });
});

describe.each(clients)('%s and a daemon that ends in between', (kind) => {
  useClient(kind);

  it('is waited for by ADD, whose attachment the next one has once', { timeout: 60_000 }, async () => {
    let daemon = await world.start();
    for (let i = 0; i < 4; i++) {
      const waiting = call('ADD', { id: `c${i}`, ifname: `eth${i}` });
      await new Promise((resolve) => setTimeout(resolve, 25 + i * 12));
      await daemon.stop(i % 2 ? 'SIGKILL' : 'SIGTERM');
      daemon = await world.start();
      expect(await waiting).toMatchObject({ status: 0, stderr: '' });
    }
    expect(await pods(daemon)).toEqual(['c0', 'c1', 'c2', 'c3']);
    const all = await daemon.json<Pod[]>('pods');
    expect(new Set(all.flatMap(({ ips }) => ips)).size).toBe(8);
  });
});
