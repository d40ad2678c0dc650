// weft ipam against a real daemon: what it shows, what it finds wrong, and what it frees.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ipam } from '../../control/service.ts';
import { cni } from '../support/cni.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import type { TestNamespace } from '../support/pod-namespace.ts';
import type { Daemon } from '../support/weft.ts';

let world: NodeWorld;
let daemon: Daemon;
let pod: TestNamespace;

beforeAll(async () => {
  world = makeNodeWorld();
  pod = world.namespace();
  daemon = await world.start();
  await cni('ADD', { socket: daemon.socket, netns: pod.path, args: 'IP=10.244.1.20' });
  const byHand = world.namespace();
  await daemon.json('attach', '--netns', byHand.name, '--id', 'by-hand', '--ip', '10.244.1.3');
});
afterAll(() => world?.close());

const check = (...options: string[]) => daemon.weft('ipam', 'check', '--json', ...options);
const ranges = async () => (await daemon.json<Ipam>('ipam', 'show')).ranges;

describe('weft ipam', () => {
  it('show: ranges and leases, sorted', async () => {
    const { ranges, leases } = await daemon.json<Ipam>('ipam', 'show');
    expect(ranges).toEqual([
      { range: '10.244.1.0/24', size: 253, used: 2, resting: 0 },
      { range: 'fd00:244:1::/64', size: 4294967294, used: 2, resting: 0 },
    ]);
    expect(leases.map(({ ip, id, network }) => [ip, id, network])).toEqual([
      ['10.244.1.3', 'by-hand', null],
      ['10.244.1.20', 'c1', 'fabric'],
      ['fd00:244:1::2', 'c1', 'fabric'],
      ['fd00:244:1::3', 'by-hand', null],
    ]);
    const { stdout } = await daemon.weft('ipam', 'show');
    expect(stdout).toMatch(/^10\.244\.1\.0\/24 +253 +2 +0$/m);
    expect(stdout).toMatch(/^10\.244\.1\.20 +c1 +eth0 +fabric +forwarding +\/run\/netns\//m);
  });

  it('check: silent success when all is well', async () => {
    expect(await check()).toMatchObject({ status: 0, stdout: '[]\n' });
    expect(await daemon.weft('ipam', 'check')).toMatchObject({
      status: 0,
      stdout: 'every lease has its pod, and every pod its lease\n',
    });
  });

  it('release: not while the pod is there, unless by force; and what rests is free at once', async () => {
    const release = (...args: string[]) => daemon.weft('ipam', 'release', ...args);
    expect(await release('10.244.1.20')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^weft: 10\.244\.1\.20: its pod is there; delete the pod, or .*--force/),
    });
    expect(await release('10.244.1.99')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no pod has it/),
    });
    expect(await release('10.244.1')).toMatchObject({ status: 2 });
    expect(await release('--force', '10.244.1.20')).toMatchObject({ status: 0, stdout: '' });
    expect(pod.run('ip', '-o', 'link')).not.toContain('eth0');
    expect(await ranges()).toMatchObject([
      { used: 1, resting: 0 },
      { used: 1, resting: 1 },
    ]);
    expect(await release('fd00:244:1::2')).toMatchObject({ status: 0 });
    expect(await ranges()).toMatchObject([
      { used: 1, resting: 0 },
      { used: 1, resting: 0 },
    ]);
  });

  it('--socket may stand in front', async () => {
    expect((await daemon.weft('--socket', daemon.socket, 'ipam', 'show')).status).toBe(0);
  });
});
