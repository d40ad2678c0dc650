// A lab that stays: up, status, exec, down, as a user has them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import { checksOf } from '../../lab/checks.ts';
import type { LabHealth } from '../../lab/health.ts';
import { readLab } from '../../lab/labs.ts';
import type { Process } from '../../lab/processes.ts';
import { alive, begin, processesOf, type Result, remains, weft } from './weft.ts';

const name = `t${process.pid}`;
const prefix = `weft-${name}-`;
const other = `u${process.pid}`;

const lab = (command: string, ...args: string[]): Promise<Result> =>
  weft(['lab', command, '--name', name, ...args]);
const exec = (host: string, ...words: string[]): Promise<Result> => lab('exec', host, '--', ...words);
const status = async (): Promise<LabHealth> => JSON.parse((await lab('status', '--json')).stdout)[0];

afterAll(async () => {
  for (const one of [name, other]) await weft(['lab', 'down', '--name', one]);
});

describe('before there is one', () => {
  it.each([
    [['status', '--name', name], 1],
    [['exec', '--name', name, 'pod-a1', '--', 'true'], 1],
    [['up', '--name', 'no-good'], 2],
    [['status', '--name', '../etc'], 2],
    [['exec', 'pod-a1'], 2],
  ])('weft lab %j says what to do, with status %d', async (args, wanted) => {
    const { status: got, stdout, stderr } = await weft(['lab', ...args]);
    expect(stderr).toMatch(/^weft: [^\n]+\n$/);
    expect({ got, stdout }).toEqual({ got: wanted, stdout: '' });
  });
});

describe('one that stands', () => {
  let built: Result;
  let processes: readonly Process[];
  beforeAll(async () => {
    built = await lab('up');
    processes = processesOf(prefix);
  });

  it('is shown with what can be done with it', () => {
    expect(built).toMatchObject({ status: 0, stderr: '' });
    expect(built.stdout).toContain('10.244.2.2');
    expect(built.stdout).toContain(`weft lab exec --name ${name} pod-a1 -- ping 10.244.2.2`);
    expect(built.stdout).toContain(`weft lab down --name ${name}`);
    expect(processes).toHaveLength(2);
  });

  it('is not built again', async () => {
    const { status: got, stderr } = await lab('up');
    expect(stderr).toBe(
      `weft: the lab '${name}': it stands already; take it away with: weft lab down --name ${name}, or give --name\n`,
    );
    expect(got).toBe(1);
    expect(alive(processes)).toEqual(processes);
  });

  it('says how it does', async () => {
    const { nodes } = await status();
    expect(nodes.map(({ name, kind, health }) => [name, kind, health.ok])).toEqual([
      ['node-a', 'weft', true],
      ['node-b', 'weft', true],
      ['node-c', 'kernel', true],
    ]);
    expect(nodes[1].pods.map(({ name, v4, v6 }) => [name, v4, v6])).toEqual([
      ['pod-b1', '10.244.2.2', 'fd00:244:2::2'],
      ['pod-b2', '10.244.2.3', 'fd00:244:2::3'],
    ]);
    const all = JSON.parse((await weft(['lab', 'status', '--json'])).stdout) as LabHealth[];
    expect(all.map((one) => one.name)).toContain(name);
    const { stdout } = await lab('status');
    expect(stdout).toMatch(/^node-a +Weft +192\.168\.77\.1 +10\.244\.1\.1 +fd00:244:1::1 +ok /m);
    expect(stdout).toMatch(/^pod-c2 +node-c +10\.244\.3\.3 +fd00:244:3::3$/m);
  });

  it('runs commands on its hosts', async () => {
    const ping = await exec('pod-a1', 'ping', '-c', '1', '-W', '5', '10.244.3.3');
    expect(ping).toMatchObject({ status: 0, stderr: '' });
    const address = await exec('pod-b1', 'ip', '-o', '-4', 'address', 'show', 'eth0');
    expect(address.stdout).toContain('10.244.2.2/32');
    const node = await exec('node-b', 'weft', 'status', '--json');
    expect((JSON.parse(node.stdout) as Status).node).toBe('node-b');
    expect((await exec('outside', 'ip', 'route')).stdout).toContain('192.168.77.0/24 dev underlay');
  });

  it('gives them stdin, and their status back', async () => {
    const echo = await weft(['lab', 'exec', '--name', name, 'pod-a1', '--', 'cat'], 'one\ntwo\n');
    expect(echo).toEqual({ status: 0, stdout: 'one\ntwo\n', stderr: '' });
    expect((await exec('pod-a1', 'sh', '-c', 'exit 7')).status).toBe(7);
    expect((await exec('pod-a1', 'sh', '-c', 'kill -9 $$')).status).toBe(137);
    expect((await exec('pod-a1', '--no-such-command')).status).toBe(127);
  });

  it('passes signals on to them', async () => {
    const sleep = begin(['lab', 'exec', '--name', name, 'pod-a2', '--', 'sleep', '60']);
    const inside = (): Process[] => processesOf(`${prefix}pod-a2`);
    await expect.poll(inside).toHaveLength(1);
    const [one] = inside();
    sleep.child.kill('SIGTERM');
    expect((await sleep.ended).status).toBe(143);
    expect(alive([one])).toEqual([]);
  });

  it('names those that it has when asked for another', async () => {
    const { status: got, stderr } = await exec('pod-z9', 'true');
    expect(stderr).toBe(
      `weft: the lab '${name}' has no 'pod-z9'; it has node-a, node-b, node-c, ` +
        'pod-a1, pod-a2, pod-b1, pod-b2, pod-c1, pod-c2, outside\n',
    );
    expect(got).toBe(2);
  });

  it('has room for another beside it', async () => {
    const up = await weft(['lab', 'up', '--name', other]);
    expect(up).toMatchObject({ status: 0, stderr: '' });
    const ping = ['--', 'ping', '-c', '1', '-W', '5', '10.244.2.2'];
    expect((await weft(['lab', 'exec', '--name', other, 'pod-a1', ...ping])).status).toBe(0);
    expect((await weft(['lab', 'down', '--name', other])).status).toBe(0);
    expect(remains(`weft-${other}-`)).toEqual([]);
    expect(alive(processes)).toEqual(processes);
  });

  it('says what is broken, and so do the checks', async () => {
    const node = (await exec('node-b', 'weft', 'status', '--json')).stdout;
    process.kill((JSON.parse(node) as Status).pid, 'SIGKILL');
    await expect.poll(() => alive(processes)).toHaveLength(1);
    const { nodes } = await status();
    expect(nodes.map(({ health }) => health.ok)).toEqual([true, false, true]);
    expect(nodes[1].health.detail).toContain('its daemon has ended');
    const checks = checksOf(readLab(name)).filter(
      ({ name }) => /IPv4/.test(name) && /ping|traceroute/.test(name),
    );
    const broken = await Promise.all(
      checks.map(async ({ name, run }) => `${name}: ${await run().catch((error: Error) => error.message)}`),
    );
    expect(broken).toEqual([
      expect.stringMatching(/^ping IPv4, pod to pod, all pairs: .+: 0 of 2 packets answered$/),
      expect.stringMatching(/^ping IPv4, nodes to pods and back: .+: 0 of 2 packets answered$/),
      expect.stringMatching(/^traceroute IPv4, Weft to Weft: from pod-a1 to 10\.244\.2\.2 the hops are /),
      'traceroute IPv4, Weft to kernel: 10.244.1.1 → 10.244.3.1 → 10.244.3.2',
    ]);
  });

  it('goes, with its processes, and once it is gone that is no error', async () => {
    expect(await lab('down')).toMatchObject({ status: 0, stderr: '' });
    expect(remains(prefix)).toEqual([]);
    expect(remains(`weft-lab.${name}`)).toEqual([]);
    expect(alive(processes)).toEqual([]);
    const again = await lab('down');
    expect(again).toMatchObject({ status: 0, stderr: '' });
    expect(again.stdout).toContain(`there is no lab '${name}'`);
  });
});

it('of two builders of one name, one builds', async () => {
  const results = await Promise.all([lab('up'), lab('up')]);
  expect(results.map((one) => one.status).sort()).toEqual([0, 1]);
  expect(results.map((one) => one.stderr).join('')).toMatch(/^weft: the lab .+ is building it[^\n]*\n$/);
  expect((await status()).nodes.every(({ health }) => health.ok)).toBe(true);
  expect((await lab('down')).status).toBe(0);
});

it('what a builder that was killed has left is no lab, and in nobody’s way', async () => {
  const builder = begin(['lab', 'up', '--name', name]);
  await expect.poll(() => remains(prefix).length, { timeout: 20_000, interval: 10 }).toBeGreaterThan(4);
  builder.child.kill('SIGKILL');
  await builder.ended;
  expect((await lab('status')).status).toBe(1);
  expect(await lab('up')).toMatchObject({ status: 0, stderr: '' });
  expect((await exec('pod-a1', 'ping', '-c', '1', '-W', '5', '10.244.2.2')).status).toBe(0);
  expect((await lab('down')).status).toBe(0);
  expect(remains(prefix)).toEqual([]);
});
