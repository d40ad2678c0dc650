// The life of `weft node` as a process: signals, reload, ends of every kind, and the next daemon after each of them.
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, Route, Status } from '../../control/service.ts';
import { inNamespace } from '../../sys/netns.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import { type TestNamespace, until } from '../support/pod-namespace.ts';
import { datagramInbox } from '../support/unix-inbox.ts';
import { begin, type Daemon, writeConfig } from '../support/weft.ts';

let world: NodeWorld;
let pod: TestNamespace;

beforeEach(() => {
  world = makeNodeWorld();
  pod = world.namespace();
});
afterEach(() => world.close());

const route = { to: '10.244.2.0/24', via: '192.168.77.2' };
const more = { to: '10.244.3.0/24', via: '192.168.77.3' };

const staticRoutes = async (daemon: Daemon): Promise<string[]> =>
  (await daemon.json<Route[]>('routes'))
    .filter(({ source }) => source === 'static')
    .map(({ prefix }) => prefix);

const podAddress = () => pod.run('ip', '-o', '-4', 'address', 'show', 'dev', 'eth0');
const reachesNode = () => pod.run('ping', '-c1', '-W2', '10.244.1.1');

describe('SIGHUP', () => {
  it('applies the difference', async () => {
    const daemon = await world.start({ config: { routes: [route] } });
    writeConfig(world.folder, { routes: [route, more] });
    daemon.child.kill('SIGHUP');
    await until(
      () => daemon.messages().includes('the configuration was read again and applied'),
      'the reload',
    );
    expect(await staticRoutes(daemon)).toEqual([route.to, more.to]);
    writeConfig(world.folder, { routes: [more] });
    daemon.child.kill('SIGHUP');
    await expect.poll(() => staticRoutes(daemon)).toEqual([more.to]);
  });

  const refused: [string, Record<string, unknown>, RegExp][] = [
    [
      'a mistake',
      { routes: [{ ...more, encap: 'gre' }] },
      /weft\.yaml: routes\[0\]\.encap: expected 'vxlan'/,
    ],
    [
      'what needs a restart',
      { routes: [more], pods: { cidrs: ['10.9.0.0/16'] } },
      /pods\.cidrs cannot change/,
    ],
    [
      'a route that this node cannot have',
      { routes: [{ to: 'fd00:9::/64', via: '192.168.77.2', encap: 'direct' }] },
      /fd00:9::\/64/,
    ],
  ];
  it.each(refused)('with %s in the file says so and keeps what it had', async (_, config, message) => {
    const daemon = await world.start({ config: { routes: [route] } });
    writeConfig(world.folder, config);
    daemon.child.kill('SIGHUP');
    await until(() => daemon.stderr().includes('the configuration was not applied'), 'the refusal');
    expect(daemon.stderr()).toMatch(message);
    expect(await staticRoutes(daemon)).toEqual([route.to]);
    expect((await daemon.stop()).status).toBe(0);
  });

  it('during the start is done after it', async () => {
    const file = writeConfig(world.folder, { routes: [route] });
    const starting = begin(['node', '--config', file], { within: world.within });
    try {
      // Loaded: it looks after its own signals then.
      await until(() => existsSync(join(world.folder, 'state')), 'the state folder', 15_000);
      starting.child.kill('SIGHUP');
      await until(() => starting.stderr().includes('read again'), 'the reload', 15_000);
      expect(starting.stdout()).toContain('"ready"');
    } finally {
      starting.child.kill('SIGTERM');
      expect((await starting.ended).status).toBe(0);
    }
  });
});

describe('an end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s: in time, status 0; the pod keeps its interface and the next daemon takes it over',
    async (signal) => {
      const first = await world.start();
      await first.json('attach', '--netns', pod.name, '--id', 'a', '--ip', '10.244.1.7');
      reachesNode();
      const { status, milliseconds } = await first.stop(signal);
      expect(status).toBe(0);
      expect(milliseconds).toBeLessThan(5000);
      expect(existsSync(first.socket)).toBe(false);
      expect(podAddress()).toContain('10.244.1.7/32');

      const next = await world.start();
      expect(await next.json<Pod[]>('pods')).toMatchObject([{ id: 'a', state: 'forwarding' }]);
      reachesNode();
    },
  );

  it('by SIGKILL: the same, and the socket that was left is replaced', async () => {
    const first = await world.start();
    await first.json('attach', '--netns', pod.name, '--id', 'a', '--ip', '10.244.1.7');
    expect((await first.stop('SIGKILL')).status).toBe(null);
    expect(podAddress()).toContain('10.244.1.7/32');
    const { mtimeMs } = statSync(first.socket);

    const next = await world.start();
    expect(statSync(next.socket).mtimeMs).toBeGreaterThan(mtimeMs);
    expect(await next.json<Pod[]>('pods')).toMatchObject([{ id: 'a', state: 'forwarding' }]);
    reachesNode();
    expect((await next.weft('detach', '--id', 'a')).status).toBe(0);
    expect((await next.stop()).status).toBe(0);
    expect(world.leftovers()).toEqual([]);
  });

  it('by a worker that fails: says so, status 1, and the pod keeps its interface', async () => {
    // Ends a worker thread on SIGUSR2, as an error in it would.
    const sabotage = `import workers from 'node:worker_threads';
      import { syncBuiltinESMExports } from 'node:module';
      let last;
      workers.Worker = class extends workers.Worker { constructor(...all) { super(...all); last = this; } };
      syncBuiltinESMExports();
      process.on('SIGUSR2', () => last.terminate());`;
    const node = ['--import', `data:text/javascript,${encodeURIComponent(sabotage)}`];
    const daemon = await world.start({ node });
    await daemon.json('attach', '--netns', pod.name, '--id', 'a', '--ip', '10.244.1.7');
    daemon.child.kill('SIGUSR2');
    const { status, stderr } = await daemon.ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/"level":"fatal".*worker \d+ ended/);
    expect(podAddress()).toContain('10.244.1.7/32');
    await world.start();
    reachesNode();
  });

  it('is not held up by a client that says nothing', async () => {
    const daemon = await world.start();
    const silent = connect(daemon.socket);
    silent.on('error', () => {});
    await new Promise((resolve) => silent.once('connect', resolve));
    const { status, milliseconds } = await daemon.stop();
    expect(status).toBe(0);
    expect(milliseconds).toBeLessThan(5000);
    silent.destroy();
  });
});

describe('the socket', () => {
  it('of a daemon that lives is not taken over', async () => {
    const first = await world.start();
    const elsewhere = world.namespace();
    elsewhere.run('ip', 'address', 'add', '192.168.77.1/24', 'dev', 'lo');
    const folder = join(world.folder, 'other');
    const file = writeConfig(folder, { api: { socket: first.socket } });
    const second = await begin(['node', '--config', file], { within: ['nsenter', `--net=${elsewhere.path}`] })
      .ended;
    expect(second).toMatchObject({ status: 1, stdout: '' });
    expect(second.stderr).toMatch(
      /^weft: api\.socket: .*weft\.sock is in use by another daemon; stop it first.*\n$/,
    );
    expect(existsSync(join(folder, 'state'))).toBe(false);
    expect((await first.json<Status>('status')).pid).toBe(first.child.pid);
  });
});

describe('systemd', () => {
  it.each(['path', 'abstract'] as const)('is told, on a socket that is %s', async (kind) => {
    const name = kind === 'path' ? join(world.folder, 'notify') : `@weft-test-${process.pid}`;
    const inbox = inNamespace(world.node.path, () => datagramInbox(name));
    try {
      const daemon = await world.start({ env: { NOTIFY_SOCKET: name } });
      const heard: string[] = [];
      const hears = (what: RegExp) =>
        until(() => {
          heard.push(...inbox.read());
          return what.test(heard.at(-1) ?? '');
        }, String(what));
      await hears(/^READY=1\n$/);
      daemon.child.kill('SIGHUP');
      await until(() => daemon.stderr().includes('read again'), 'the reload');
      await hears(/^READY=1\n$/);
      const now = Number(process.hrtime.bigint() / 1000n);
      const [, reloading] = heard;
      const time = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)\n$/.exec(reloading)?.[1]);
      expect(time).toBeLessThanOrEqual(now);
      expect(time).toBeGreaterThan(now - 5_000_000);
      await daemon.stop();
      await hears(/^STOPPING=1\n$/);
      expect(heard).toHaveLength(4);
    } finally {
      inbox.close();
    }
  });

  it('that does not listen is no reason to stop', async () => {
    const daemon = await world.start({ env: { NOTIFY_SOCKET: '/nowhere/notify' } });
    await until(
      () => daemon.messages().includes('systemd was not told that the service is ready'),
      'the warning',
    );
    expect((await daemon.json<Status>('status')).node).toBe('node-a');
  });
});
