// podman with its CNI back end and containerd over its CRI socket, both on each of two nodes of Weft: what they attach through
// the plugin that `weft cni install` has put in place. Takes longer than others: it starts twelve containers.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Ipam, Pod } from '../../control/service.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { processesIn } from '../../lab/processes.ts';
import { Run } from '../../lab/run.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import { REFERENCE_PLUGINS } from '../support/cni-list.ts';
import { type ContainerImage, DATA_SIZE, makeImage } from '../support/container-image.ts';
import type { ContainerRuntime, PodOptions, RuntimePod } from '../support/container-runtime.ts';
import { type CniFolders, Containerd } from '../support/containerd.ts';
import { Machine } from '../support/machine.ts';
import { until } from '../support/pod-namespace.ts';
import { Podman } from '../support/podman.ts';
import { podAddress, routesTo, startWeft } from '../support/pods.ts';
import { Underlay, underlayAddress } from '../support/underlay.ts';
import { jsonLines, weft } from '../support/weft.ts';

const NETWORK = 'fabric';
const FAMILIES = [4, 6] as const;
/** From outside, where there is no root filesystem for busybox. */
const ASK = `
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end='')
`;

interface Site {
  readonly n: number;
  readonly machine: Machine;
  readonly folders: CniFolders;
  node: WeftNode;
  readonly podman: Podman;
  readonly containerd: Containerd;
}

let run: Run;
let underlay: Underlay;
let outside: Namespace;
let image: ContainerImage;
let sites: Site[];

const startNode = async (machine: Machine, n: number) => {
  const address = FAMILIES.map((family) => underlayAddress(n, family));
  const { node } = await startWeft(run, underlay, n, {
    namespace: machine.namespace,
    routes: routesTo(4, { node: 3 - n }),
    config: { node: { name: `node-${n}`, address }, host: { natOutgoing: true } },
  });
  return node;
};

const cniCommand = (verb: 'install' | 'uninstall', { folders, node }: Pick<Site, 'folders' | 'node'>) =>
  weft([
    ...['cni', verb, '--bin', folders.bin, '--conf', folders.conf],
    ...(verb === 'install' ? ['--socket', node.socket, '--name', NETWORK] : []),
  ]);

async function startSite(n: number): Promise<Site> {
  const machine = await Machine.start(run, underlay.host(n));
  const folders = { bin: join(machine.folder, 'cni/bin'), conf: join(machine.folder, 'cni/net.d') };
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true }); // podman wants them.
  // containerd has the loopback interface made by a plugin as well.
  symlinkSync(`${REFERENCE_PLUGINS}/loopback`, join(folders.bin, 'loopback'));
  const node = await startNode(machine, n);
  const podman = new Podman(machine, folders, image, NETWORK);
  const containerd = await Containerd.start(machine, folders, image);
  return { n, machine, folders, node, podman, containerd };
}

const runtimesOf = ({ podman, containerd }: Site): ContainerRuntime[] => [podman, containerd];
/** What Weft knows, addresses without their lengths. */
const podsOf = async ({ node }: Site) =>
  (await node.client.get<Pod[]>('pods')).map((pod) => ({
    ...pod,
    ips: pod.ips.map((ip) => ip.split('/')[0]),
  }));
const attached = async (site: Site) => (await podsOf(site)).map(({ id }) => id).sort();
const url = (ip: string, path: string, port = 80) =>
  `http://${ip.includes(':') ? `[${ip}]` : ip}:${port}/${path}`;

beforeAll(async () => {
  run = new Run();
  underlay = new Underlay(run);
  outside = underlay.host(9, 'outside');
  image = makeImage(run.folderOf(outside));
  sites = [await startSite(1), await startSite(2)];
}, 120_000);
afterAll(() => run?.close(), 60_000);

/** Pods of the present test, so that the next finds none of them whatever happens. */
const started: RuntimePod[] = [];
async function podOf(runtime: ContainerRuntime, name: string, options?: PodOptions): Promise<RuntimePod> {
  const pod = await runtime.pod(name, options);
  started.push(pod);
  return pod;
}
async function remove(pod: RuntimePod): Promise<void> {
  started.splice(started.indexOf(pod), 1);
  await pod.remove();
}
const removeStarted = async () => {
  for (const pod of [...started]) await remove(pod);
};

describe('weft cni install', () => {
  it('is what makes the runtimes find the network', async () => {
    for (const site of sites) {
      expect(await site.podman.networks()).not.toContain(NETWORK);
      expect(await site.containerd.network()).toMatch(/not initialized/);
      expect(await cniCommand('install', site)).toMatchObject({ status: 0, stderr: '' });
      expect(await site.podman.networks()).toContain(NETWORK);
      await expect.poll(() => site.containerd.network(), { timeout: 10_000 }).toBe('ready');
    }
  });
});

describe('pods of two nodes', () => {
  let pods: RuntimePod[];
  beforeAll(async () => {
    pods = [];
    for (const site of sites) {
      for (const runtime of runtimesOf(site)) pods.push(await podOf(runtime, `${runtime.kind}-${site.n}`));
    }
  }, 60_000);

  it('have addresses of their nodes, which Weft and the runtime agree on', async () => {
    for (const [i, site] of sites.entries()) {
      const here = pods.slice(2 * i, 2 * i + 2);
      const known = await podsOf(site);
      expect(known.map(({ id }) => id).sort()).toEqual(here.map(({ id }) => id).sort());
      for (const { id, ips, run } of here) {
        expect(ips).toEqual(known.find((one) => one.id === id)?.ips);
        expect(ips).toEqual([
          expect.stringMatching(`^10\\.244\\.${site.n}\\.`),
          expect.stringMatching(`^fd00:244:${site.n}::`),
        ]);
        const shown = await run('ip', 'addr', 'show', 'eth0');
        for (const ip of ips) expect(shown).toContain(`${ip}/`);
      }
    }
  });

  it('ping each other, whichever runtime has started them', { timeout: 60_000 }, async () => {
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue;
        for (const ip of to.ips) {
          const said = await from.run('ping', '-c', '1', '-W', '5', ip);
          expect(said).toContain('1 packets received');
        }
      }
    }
  });

  it('exchange TCP, byte for byte', { timeout: 60_000 }, async () => {
    for (const [from, to] of [
      [0, 3],
      [1, 2],
      [2, 1],
      [3, 0],
    ]) {
      for (const ip of pods[to].ips) {
        const file = '/tmp/data';
        await pods[from].run('wget', '-q', '-O', file, url(ip, 'data'));
        expect(await pods[from].run('sha256sum', file)).toContain(image.digest);
        expect(await pods[from].run('wget', '-q', '-O', '-', url(ip, 'name'))).toBe(`${pods[to].name}\n`);
      }
    }
  });

  it('reach what is outside, and are gone when their runtime removes them', { timeout: 60_000 }, async () => {
    for (const pod of pods) await pod.run('ping', '-c', '1', '-W', '5', underlayAddress(9, 4));
    for (const pod of pods) await remove(pod);
    for (const site of sites) {
      expect(await attached(site)).toEqual([]);
      // Runtimes have DEL executed twice, with and without a namespace: neither is a failure.
      const problems = jsonLines(site.node.log).filter(({ level }) => Number(level) >= 40);
      expect(problems).toEqual([]);
      expect(await site.node.client.post('ipam/check', { fix: false })).toEqual([]);
    }
  });
});

describe.each(['podman', 'containerd'] as const)('%s', (kind) => {
  afterEach(removeStarted);
  const ports = [{ hostPort: 8080, containerPort: 80 }];
  const ask = (family: 4 | 6) =>
    outside.runLater('python3', ['-c', ASK, url(underlayAddress(1, family), 'name', 8080)]);

  it('has a port of the node lead to a pod, from outside', async () => {
    const pod = await podOf(sites[0][kind], `${kind}-port`, { ports });
    for (const family of FAMILIES) expect(await ask(family)).toBe(`${pod.name}\n`);
    await remove(pod);
    await expect(ask(4)).rejects.toThrow(/refused/);
  });

  it('has a pod deleted while the service is down, and that is made up for', {
    timeout: 60_000,
  }, async () => {
    const [site] = sites;
    const pod = await podOf(site[kind], `${kind}-down`, { ports });
    await site.node.stop('SIGKILL');
    await remove(pod);
    const folder = `${site.node.socket}.spool`;
    expect(readdirSync(folder)).not.toEqual([]);
    // It is asked for the next one while it starts.
    const [node, next] = await Promise.all([
      startNode(site.machine, site.n),
      podOf(site[kind], `${kind}-next`, { ports }),
    ]);
    site.node = node;
    expect(await attached(site)).toEqual([next.id]);
    const { leases } = await node.client.get<Ipam>('ipam');
    expect(leases.map(({ ip }) => ip).sort()).toEqual([...next.ips].sort());
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
    expect(await ask(4)).toBe(`${next.name}\n`);
    await remove(next);
    expect(await attached(site)).toEqual([]);
    expect(await node.client.post('ipam/check', { fix: false })).toEqual([]);
  });

  it('leaves nothing of a pod that could not be attached', async () => {
    const [site] = sites;
    const holder = await podOf(site[kind], `${kind}-holder`, {
      ports: [{ hostPort: 9090, containerPort: 80 }],
    });
    const other = kind === 'podman' ? site.containerd : site.podman;
    await expect(
      podOf(other, `${kind}-refused`, { ports: [{ hostPort: 9090, containerPort: 80 }] }),
    ).rejects.toThrow(/9090/);
    expect(await attached(site)).toEqual([holder.id]);
    await remove(holder);
    expect(await attached(site)).toEqual([]);
    expect(await site.node.client.post('ipam/check', { fix: false })).toEqual([]);
  });
});

describe('podman', () => {
  afterEach(removeStarted);
  it('gives the address and the MAC that it was told to', async () => {
    const [site] = sites;
    const wanted = { ip: podAddress(1, 77, 4), mac: '02:00:00:00:00:77' };
    const pod = await podOf(site.podman, 'podman-static', wanted);
    expect(pod.ips[0]).toBe(wanted.ip);
    expect(await podsOf(site)).toMatchObject([{ id: pod.id, mac: wanted.mac, ips: [wanted.ip, pod.ips[1]] }]);
    await remove(pod);
  });
});

describe('containerd', () => {
  afterEach(removeStarted);
  /** Bytes that crossed the interface of the pod, as its kernel counts them. */
  const counters = ({ machine }: Site, { ips }: RuntimePod) => {
    const pid = processesIn(machine.podNamespaces())
      .map((one) => one.pid)
      .find((one) => readFileSync(`/proc/${one}/net/fib_trie`, 'utf8').includes(`${ips[0]}\n`));
    const line = /eth0: *(\d+)(?: +\d+){7} +(\d+)/.exec(readFileSync(`/proc/${pid}/net/dev`, 'utf8'));
    return { received: Number(line?.[1]), sent: Number(line?.[2]) };
  };

  it('has pods limited to the bandwidth of their annotations', { timeout: 60_000 }, async () => {
    const MBIT = 30;
    const [near, far] = sites;
    const limited = {
      received: await podOf(near.containerd, 'downloads', { bandwidth: MBIT }),
      sent: await podOf(near.containerd, 'uploads', { bandwidth: MBIT }),
    };
    const other = await podOf(far.podman, 'other');
    const limits = { ingressRate: MBIT * 1e6, egressRate: MBIT * 1e6 };
    expect(await podsOf(near)).toMatchObject([{ bandwidth: limits }, { bandwidth: limits }]);
    const transfer = (to: RuntimePod, from: RuntimePod) =>
      to.run('wget', '-q', '-O', '/dev/null', url(from.ips[0], 'data'));
    // They end with their pods: there is more to be had than time to measure.
    const ended = Promise.allSettled([transfer(limited.received, other), transfer(other, limited.sent)]);
    const count = (way: keyof typeof limited) => counters(near, limited[way])[way];
    const enough = DATA_SIZE / 16;
    await until(() => count('received') > enough && count('sent') > enough, 'both transfers to run');
    const begun = performance.now();
    const first = { received: count('received'), sent: count('sent') };
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const milliseconds = performance.now() - begun;
    for (const way of ['received', 'sent'] as const) {
      const share = ((count(way) - first[way]) * 8) / milliseconds / 1000 / MBIT;
      console.log(`${way} at ${MBIT} Mbit/s: ${share.toFixed(3)}`);
      // A loaded machine can be slower than the limit, not faster.
      expect(share).toBeGreaterThan(0.85);
      expect(share).toBeLessThan(1.05);
    }
    for (const pod of [limited.received, limited.sent, other]) await remove(pod);
    await ended;
  });
});

describe('weft cni uninstall', () => {
  it('takes away what install has put there, and the runtimes have no network any more', async () => {
    for (const site of sites) {
      expect(await cniCommand('uninstall', site)).toMatchObject({ status: 0, stderr: '' });
      expect(await site.podman.networks()).not.toContain(NETWORK);
      await expect.poll(() => site.containerd.network(), { timeout: 10_000 }).not.toBe('ready');
    }
  });
});
