// Every command against a real daemon, as processes: what is printed, what it does, and the exit status.
import { relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogue, later } from '../../control/commands/catalogue.ts';
import type { AttachResult, Drops, Pod, Route, Status, Tunnel, WhyResult } from '../../control/service.ts';
import { isDrop, Verdict, verdictNames } from '../../engine/verdict.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import { type TestNamespace, until } from '../support/pod-namespace.ts';
import { begin, type Daemon, jsonLines, weft } from '../support/weft.ts';

let world: NodeWorld;
let daemon: Daemon;
let pod: TestNamespace;

const routes = [
  { to: '10.244.2.0/24', via: '192.168.77.2' },
  { to: '10.244.3.0/24', via: '192.168.77.2' },
  { to: '10.244.3.0/24', via: '192.168.77.3' },
  { to: '10.244.4.0/24', via: '192.168.77.4', encap: 'ipip' },
];

beforeAll(async () => {
  world = makeNodeWorld();
  pod = world.namespace();
  daemon = await world.start({ config: { routes } });
  await daemon.json('attach', '--netns', pod.name, '--id', 'pod1', '--ip', '10.244.1.9');
});
afterAll(() => world?.close());

const addressesOf = (namespace: TestNamespace, name: string): string[] =>
  JSON.parse(namespace.run('ip', '-j', 'address', 'show', 'dev', name))[0].addr_info.map(
    ({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`,
  );
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('weft node', () => {
  it('prints one line on stdout when it forwards', () => {
    expect(daemon.stdout()).toBe(
      `{"event":"ready","node":"node-a","socket":${JSON.stringify(daemon.socket)}}\n`,
    );
  });

  it('logs JSON lines on stderr, with time, level and node', () => {
    for (const line of jsonLines(daemon.stderr())) {
      expect(line).toMatchObject({ level: 'info', node: 'node-a', time: expect.stringMatching(/^2.*Z$/) });
    }
    expect(daemon.messages()).toContain('the node forwards');
  });
});

describe('weft attach and detach', () => {
  it('gives the namespace an interface with the address asked for and one that was chosen', () => {
    expect(addressesOf(pod, 'eth0')).toEqual(expect.arrayContaining(['10.244.1.9/32', 'fd00:244:1::2/128']));
    pod.run('ping', '-c1', '-W2', '10.244.1.1');
  });

  it('says what it has given', async () => {
    const other = world.namespace();
    const path = relative('/tmp', other.path);
    const result = await weft(
      ['attach', '--netns', path, '--id', 'other', '--ifname', 'net1', '--json', '--socket', daemon.socket],
      { cwd: '/tmp' },
    );
    expect(result).toMatchObject({ status: 0, stderr: '' });
    const given: AttachResult = JSON.parse(result.stdout);
    expect(given).toEqual({
      interface: 'net1',
      ips: [expect.stringMatching(/^10\.244\.1\.\d+\/32$/), expect.stringMatching(/^fd00:244:1::\w+\/128$/)],
      mtu: 1450,
      mac: expect.stringMatching(/^02(:[0-9a-f]{2}){5}$/),
    });
    expect(addressesOf(other, 'net1')).toEqual(expect.arrayContaining([...given.ips]));

    const detach = ['detach', '--id', 'other', '--ifname', 'net1'];
    expect(await daemon.weft(...detach)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(other.run('ip', '-o', 'link')).not.toContain('net1');
    expect(await daemon.weft(...detach)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('says it in words', async () => {
    const { netns } = (await daemon.json<Pod[]>('pods'))[0];
    const { stdout } = await daemon.weft('attach', '--netns', netns, '--id', 'second', '--ifname', 'net9');
    expect(lines(stdout)).toEqual([
      'interface  net9',
      expect.stringMatching(/^addresses {2}10\.244\.1\.\d+\/32$/),
      expect.stringMatching(/^ {11}fd00:244:1::\w+\/128$/),
      'MTU        1450',
      expect.stringMatching(/^MAC {8}02:58:/),
    ]);
    expect((await daemon.weft('detach', '--id', 'second', '--ifname', 'net9')).status).toBe(0);
  });

  const refused: [string, () => string[], number, RegExp][] = [
    [
      'an unknown namespace',
      () => ['--netns', 'nowhere', '--id', 'x'],
      1,
      /\/run\/netns\/nowhere.*does not exist/,
    ],
    ["the node's own namespace", () => ['--netns', world.node.name, '--id', 'x'], 1, /the node's own/],
    [
      'an address of another node',
      () => ['--netns', pod.name, '--id', 'x', '--ifname', 'b', '--ip', '10.9.9.9'],
      1,
      /10\.9\.9\.9/,
    ],
    [
      'an address in use',
      () => ['--netns', pod.name, '--id', 'x', '--ifname', 'b', '--ip', '10.244.1.9'],
      1,
      /10\.244\.1\.9/,
    ],
    ['an interface that is there', () => ['--netns', pod.name, '--id', 'x'], 1, /eth0/],
    ['an id that is none', () => ['--netns', pod.name, '--id', 'a/b'], 2, /id "a\/b" is not valid/],
    [
      'an address that is none',
      () => ['--netns', pod.name, '--id', 'x', '--ip', '10.1'],
      2,
      /'10\.1' is not an IP address/,
    ],
    ['no namespace', () => ['--id', 'x'], 2, /--netns/],
  ];
  it.each(refused)('refuses %s, and nothing is left of it', async (_, args, status, message) => {
    const result = await daemon.weft('attach', ...args());
    expect(result).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
    expect(lines(result.stderr)).toHaveLength(1);
    expect(await daemon.json<Pod[]>('pods')).toHaveLength(1);
    expect(addressesOf(pod, 'eth0')).toContain('10.244.1.9/32');
    expect(pod.run('ip', '-o', 'link', 'show', 'up').trim().split('\n')).toHaveLength(1);
  });
});

describe('reading commands', () => {
  it('status', async () => {
    expect(await daemon.json<Status>('status')).toMatchObject({
      node: 'node-a',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      pid: daemon.child.pid,
      uptimeSeconds: expect.any(Number),
      workers: expect.any(Number),
      offload: { checksum: { on: true } },
      vtep: { address: '192.168.77.1', mac: '02:57:c0:a8:4d:01', vni: 4096, port: 4789 },
      pods: 1,
      bgp: { peers: 0, established: 0, learned: 0, unusable: 0 },
    });
    const { stdout } = await daemon.weft('status');
    expect(stdout).toMatch(/^node {6}node-a\nversion {3}\d/);
    expect(stdout).toContain('underlay  192.168.77.1 on u0, MTU 1500, MAC 02:57:c0:a8:4d:01\n');
    expect(stdout).toContain('pods      1 in 10.244.1.0/24 fd00:244:1::/64, MTU 1450\n');
  });

  it('pods', async () => {
    pod.run('ping', '-c3', '-i0.01', '-W2', '10.244.1.1');
    const [one] = await daemon.json<Pod[]>('pods');
    expect(one).toMatchObject({
      id: 'pod1',
      ifname: 'eth0',
      netns: pod.path,
      ips: ['10.244.1.9/32', 'fd00:244:1::2/128'],
      drops: expect.any(Number),
    });
    expect(one.rx.packets).toBeGreaterThanOrEqual(3);
    expect(one.tx.bytes).toBeGreaterThanOrEqual(3 * 84);
    const [head, row] = lines((await daemon.weft('pods')).stdout);
    expect(head).toMatch(/^ID {4}INTERFACE {2}ADDRESSES +STATE +RX +TX +DROPS {2}NAMESPACE$/);
    expect(row).toMatch(
      /^pod1 {2}eth0 +10\.244\.1\.9 fd00:244:1::2 {2}forwarding +\d+ +\d.* B +\d+ +\d.* B +\d+ {2}\//,
    );
  });

  it('routes', async () => {
    const all = await daemon.json<Route[]>('routes');
    expect(all.find(({ prefix }) => prefix === '10.244.3.0/24')).toMatchObject({
      source: 'static',
      best: true,
      nextHops: [
        { via: '192.168.77.2', encap: 'vxlan', port: 4789 },
        { via: '192.168.77.3', encap: 'vxlan', port: 4789 },
      ],
    });
    expect(all.find(({ prefix }) => prefix === '10.244.1.9/32')).toMatchObject({
      source: 'local',
      nextHops: [{ via: null, encap: 'local', port: 'pod1/eth0' }],
    });
    expect(all.map(({ source }) => source)).toContain('host');
    const [head, ...rows] = lines((await daemon.weft('routes')).stdout);
    expect(head).toMatch(/^PREFIX +SOURCE +ENCAP +VIA +PORT +VNI +MAC +MTU$/);
    // One line a next hop.
    expect(rows).toHaveLength(all.flatMap(({ nextHops }) => nextHops).length);
    expect(rows.find((row) => row.startsWith('10.244.4.0/24'))).toMatch(
      /static +ipip +192\.168\.77\.4 +1480$/,
    );
  });

  it('routes of one address', async () => {
    expect(await daemon.json<Route[]>('routes', '10.244.2.77')).toMatchObject([{ prefix: '10.244.2.0/24' }]);
    expect(await daemon.json<Route[]>('routes', 'fd00:244:1::2')).toMatchObject([
      { prefix: 'fd00:244:1::2/128', source: 'local' },
    ]);
    expect(lines((await daemon.weft('routes', '10.244.2.77')).stdout)).toHaveLength(2);
  });

  it('tunnels', async () => {
    const tunnels = await daemon.json<Tunnel[]>('tunnels');
    expect(tunnels.map(({ remote, encap, mtu, lastSeen }) => [remote, encap, mtu, lastSeen])).toEqual([
      ['192.168.77.2', 'vxlan', 1450, null],
      ['192.168.77.3', 'vxlan', 1450, null],
      ['192.168.77.4', 'ipip', 1480, null],
    ]);
    const [head, row] = lines((await daemon.weft('tunnels')).stdout);
    expect(head).toMatch(/^REMOTE +ENCAP +MTU +ROUTES +RX +TX +LAST SEEN$/);
    expect(row).toMatch(/^192\.168\.77\.2 +vxlan +1450 +2 .* never$/);
  });

  it('drops: every reason, zero included', async () => {
    const reasons = Object.values(Verdict)
      .filter(isDrop)
      .map((verdict) => verdictNames[verdict]);
    const drops = await daemon.json<Drops>('drops');
    expect(Object.keys(drops)).toEqual(reasons);
    expect(drops).toMatchObject({ 'no-route': 0, 'spoofed-source': 0 });
    const text = (await daemon.weft('drops')).stdout;
    expect(lines(text)).toHaveLength(1 + reasons.length);
    expect(text).toMatch(/^no-route +0 {2}no route to the destination$/m);
  });

  it('drops --watch: a line when one grows', async () => {
    const watching = begin(['drops', '--watch', '--socket', daemon.socket]);
    try {
      await until(() => watching.stdout().includes('encap-disabled'), 'the table');
      expect(() => pod.run('ping', '-c1', '-W1', '10.244.1.200')).toThrow();
      await until(
        () => /^\d\d:\d\d:\d\d {2}unreachable {2}\+1 {2}\d+ in all$/m.test(watching.stdout()),
        'the line',
      );
    } finally {
      watching.child.kill('SIGINT');
      await watching.ended;
    }
  });

  it('why: what would become of a packet, and what becomes of it', async () => {
    const local = await daemon.json<WhyResult>('why', '10.244.1.9', '10.244.1.1', '--proto', 'icmp');
    expect(local).toMatchObject({ verdict: 'delivered', reason: expect.any(String) });
    expect(local.steps.map(({ step }) => step)).toEqual(['enter', 'parse', 'admit', 'route', 'rewrite']);
    const remote = ['why', '10.244.1.9', '10.244.2.5', '--sport', '40000', '--dport', '80'];
    expect(await daemon.json(...remote)).toMatchObject({ verdict: 'encapsulated' });
    expect(await daemon.json(...remote, '--ttl', '1')).toMatchObject({ verdict: 'ttl-exceeded' });
    expect(await daemon.json(...remote, '--length', '1451')).toMatchObject({ verdict: 'too-big' });
    expect(await daemon.json(...remote, '--length', '1451', '--no-df')).toMatchObject({
      verdict: 'fragmented',
    });
    expect(await daemon.json('why', '10.244.1.9', '10.244.1.200')).toMatchObject({ verdict: 'unreachable' });
    expect(await daemon.json('why', 'fd00:244:1::2', 'fd00:244:1::1', '--proto', 'icmp')).toMatchObject({
      verdict: 'delivered',
      steps: expect.arrayContaining([{ step: 'parse', detail: expect.stringMatching(/IPv6, protocol 58/) }]),
    });
    const text = (await daemon.weft(...remote)).stdout;
    expect(lines(text).at(-1)).toMatch(/^encapsulated {2}sent to the underlay/);
  });
});

describe('the command line', () => {
  it('--version', async () => {
    const { version } = await daemon.json<Status>('status');
    expect(await weft(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('--help lists every command, and none that is not there', async () => {
    const { status, stdout, stderr } = await weft(['--help']);
    expect([status, stderr]).toEqual([0, '']);
    for (const { name, summary } of catalogue)
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary}`, 'm'));
    for (const name of later) expect(stdout).not.toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  it.each(catalogue.map(({ name }) => [name]))('%s --help', async (name) => {
    const { status, stdout, stderr } = await weft([name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^Usage: weft ${name}`));
    expect((await weft(['help', name])).stdout).toBe(stdout);
  });

  it('takes --socket in front of the command too, and rather than $WEFT_SOCKET', async () => {
    const env = { WEFT_SOCKET: '/nowhere.sock' };
    for (const socket of [['--socket', daemon.socket], [`--socket=${daemon.socket}`]]) {
      expect((await weft([...socket, 'status'], { env })).status).toBe(0);
    }
  });

  const wrong: [string[], RegExp][] = [
    [['stats'], /^weft: unknown command 'stats'; did you mean 'status'\?$/],
    [['xyzzy'], /^weft: unknown command 'xyzzy'; weft --help lists the commands$/],
    [['capture', 'x'], /^weft: this version of weft does not have 'capture'$/],
    [['status', '--jsno'], /unknown option '--jsno'.*--json/],
    [['status', 'now'], /too many arguments/],
    [['--nonsense'], /unknown option '--nonsense'/],
    [['--socket', '/x', 'node', '--config', 'y'], /unknown option '--socket'/],
    [['node'], /--config <file>/],
    [['node', '--config', 'x', '--log-level', 'loud'], /'loud' is invalid.*trace, debug, info/],
    [['detach'], /--id <id>/],
    [['routes', '10.244.1'], /'10\.244\.1' is not an IP address/],
    [['why', '10.0.0.1'], /missing required argument 'destination'/],
    [['why', '10.0.0.1', 'fd00::1'], /give two addresses of one family/],
    [['why', '10.0.0.1', '10.0.0.2', '--proto', 'ipx'], /'ipx' is invalid.*tcp, udp, icmp/],
    [['why', '10.0.0.1', '10.0.0.2', '--proto', '256'], /from 0 to 255/],
    [
      ['why', '10.0.0.1', '10.0.0.2', '--proto', 'icmp', '--sport', '1'],
      /--sport means nothing with --proto icmp/,
    ],
    [['why', '10.0.0.1', '10.0.0.2', '--dport', '65536'], /from 0 to 65535/],
    [['why', '10.0.0.1', '10.0.0.2', '--ttl', 'x'], /from 0 to 255/],
  ];
  it.each(wrong)('%j is wrong usage', async (args, message) => {
    const result = await weft(args, { env: { WEFT_SOCKET: daemon.socket } });
    expect(result).toMatchObject({ status: 2, stdout: '' });
    expect(lines(result.stderr)).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    [['status']],
    [['pods', '--json']],
    [['attach', '--netns', 'x', '--id', 'x']],
    [['why', '::1', '::2']],
  ])('%j without a daemon says which socket, and how to start one', async (args) => {
    const result = await weft([...args, '--socket', '/run/nowhere/weft.sock']);
    expect(result).toMatchObject({ status: 1, stdout: '' });
    expect(lines(result.stderr)).toEqual([
      expect.stringMatching(
        /\/run\/nowhere\/weft\.sock: there is no such socket; start one with: weft node --config FILE/,
      ),
    ]);
  });

  it('loads for a command what that command needs', async () => {
    const hook = `import { writeSync } from 'node:fs';
      export const load = (url, context, next) => { writeSync(1, url + '\\n'); return next(url, context); };`;
    const register = `import { register } from 'node:module';
      register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
    const { status, stdout } = await weft(['status', '--socket', daemon.socket], {
      node: ['--import', `data:text/javascript,${encodeURIComponent(register)}`],
    });
    expect(status).toBe(0);
    const packages = new Set([...stdout.matchAll(/node_modules\/([^/]+)/g)].map(([, name]) => name));
    expect([...packages]).toEqual(['commander']);
    expect(stdout).toContain('control/commands/status.js');
    expect(stdout).not.toContain('control/commands/pods.js');
  });
});
