// Ports of the node that lead to pods: asked from outside, from pods and from the node itself, over what happens to daemon
// and pods meanwhile.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { type CniResult, cni } from '../support/cni.ts';
import {
  drops,
  type Pod,
  podAddress,
  routesTo,
  startWeft,
  type WeftSite,
  weftConfig,
} from '../support/pods.ts';
import { Underlay, underlayAddress } from '../support/underlay.ts';
import { answerAs, ask, type Question } from '../support/who.ts';

const WAYS = (['tcp', 'udp'] as const).flatMap((protocol) =>
  ([4, 6] as const).map((family) => ({ protocol, family })),
);
const PORT = 8080;

let run: Run;
let underlay: Underlay;
let outside: Namespace;
let site: WeftSite;
let node: Namespace;
let socket: string;

beforeAll(() => {
  run = new Run();
  underlay = new Underlay(run);
  outside = underlay.host(9, 'outside');
});
afterAll(() => run?.close());

const CONFIG = {
  node: { name: 'node-1', address: [underlayAddress(1, 4), underlayAddress(1, 6)] },
  host: { natOutgoing: false },
};

let made = 0;
/** A pod whose server says `name`. */
function pod(name: string): Namespace {
  const namespace = run.namespace(`${name}${made++}`);
  namespace.ip('link set lo up');
  return namespace;
}

interface Mapping {
  readonly hostPort: number;
  readonly containerPort?: number;
  readonly protocol?: string;
  readonly hostIP?: string;
}

function add(id: string, pod: Namespace, mappings: readonly Mapping[]): Promise<CniResult> {
  const portMappings = mappings.map((one) => ({ containerPort: 80, protocol: 'tcp', ...one }));
  return cni('ADD', { socket, id, netns: pod.path, config: { runtimeConfig: { portMappings } } });
}

const both = (mapping: Mapping): Mapping[] => [mapping, { ...mapping, protocol: 'udp' }];
const added = async (...[id, pod, mappings]: Parameters<typeof add>) => {
  expect(await add(id, pod, mappings)).toMatchObject({ status: 0, stderr: '' });
};
const deleted = async (id: string) => {
  expect(await cni('DEL', { socket, id })).toMatchObject({ status: 0, stdout: '' });
};
const tables = () => node.run('nft', 'list', 'tables').trim();

describe('a port of the node', () => {
  let a: Namespace;
  let b: Namespace;
  let far: Pod;
  beforeAll(async () => {
    site = await startWeft(run, underlay, 1, { routes: routesTo(4, { node: 2 }), config: CONFIG });
    ({ socket, namespace: node } = site.node);
    [a, b] = [pod('a'), pod('b')];
    await added('a', a, both({ hostPort: PORT }));
    await added('b', b, both({ hostPort: 9090 }));
    await answerAs(a, 'a', 80);
    await answerAs(b, 'b', 80);
    const other = await startWeft(run, underlay, 2, {
      routes: routesTo(4, { node: 1 }),
      config: {
        ...CONFIG,
        node: { address: [underlayAddress(2, 4), underlayAddress(2, 6)] },
        host: { natOutgoing: true },
      },
    });
    far = await other.pod();
  }, 60_000);

  it.each(WAYS)(
    'leads to the pod from outside, which sees who asks: $protocol IPv$family',
    async ({ protocol, family }) => {
      const address = underlayAddress(1, family);
      expect(await ask(outside, { protocol, address, port: PORT })).toEqual({
        name: 'a',
        from: underlayAddress(9, family),
      });
      expect(await ask(outside, { protocol, address, port: 9090 })).toMatchObject({ name: 'b' });
      expect(await ask(outside, { protocol, address, port: 80 })).toEqual({
        error: 'ConnectionRefusedError',
      });
    },
  );

  it.each(WAYS)(
    'leads to the pod from itself, from pods of the node and of others: $protocol IPv$family',
    async ({ protocol, family }) => {
      const question = { protocol, address: underlayAddress(1, family), port: PORT };
      for (const one of [a, b]) expect(await ask(one, question)).toMatchObject({ name: 'a' });
      expect(await ask(b, { ...question, address: podAddress(1, 1, family) })).toMatchObject({ name: 'a' });
      for (const address of [question.address, podAddress(1, 1, family)]) {
        expect(await ask(far.namespace, { ...question, address }), address).toMatchObject({ name: 'a' });
      }
    },
  );

  it.each(WAYS)('leads to the pod from the node: $protocol IPv$family', async ({ protocol, family }) => {
    const local = family === 4 ? ['127.0.0.1', '127.1.2.3'] : [];
    for (const address of [underlayAddress(1, family), podAddress(1, 1, family), ...local]) {
      expect(await ask(node, { protocol, address, port: PORT }), address).toMatchObject({ name: 'a' });
    }
  });

  it('leaves what else is sent there alone, and pods their own ways', async () => {
    expect(await ask(b, { protocol: 'tcp', address: podAddress(1, 2, 4), port: 80 })).toEqual({
      name: 'a',
      from: podAddress(1, 3, 4),
    });
    // A port of another machine is no port of this node.
    expect(await ask(b, { protocol: 'tcp', address: podAddress(2, 2, 4), port: PORT })).toEqual({
      error: 'ConnectionRefusedError',
    });
  });

  it('is refused to another pod, which is told who has it, and left to the first', async () => {
    const third = pod('c');
    const refused = await add('c', third, [{ hostPort: PORT, hostIP: underlayAddress(1, 4) }]);
    expect(refused).toMatchObject({
      status: 1,
      output: {
        code: 105,
        msg: expect.stringMatching(/tcp port 8080 of 192\.168\.77\.1 leads to a\/eth0 already/),
      },
    });
    expect(third.run('ip', '-o', 'link')).not.toContain('eth0');
    expect(await ask(outside, { protocol: 'tcp', address: underlayAddress(1, 4), port: PORT })).toMatchObject(
      { name: 'a' },
    );
  });

  it('is seen by CHECK', async () => {
    const c = pod('c');
    const result = await add('check', c, both({ hostPort: 7070 }));
    const check = () =>
      cni('CHECK', { socket, id: 'check', netns: c.path, config: { prevResult: result.output } });
    expect(await check()).toMatchObject({ status: 0, stdout: '' });
    node.run('nft', 'flush', 'map', 'inet', 'weft_nat_weft0', 'ports6');
    expect(await check()).toMatchObject({
      output: {
        code: 104,
        details: expect.stringMatching(/tcp port 7070 of the node does not lead to it; udp port 7070/),
      },
    });
    await deleted('check');
    expect(await ask(outside, { protocol: 'tcp', address: underlayAddress(1, 6), port: PORT })).toMatchObject(
      { name: 'a' },
    );
  });

  it('keeps pods from 127.0.0.1 of the node', async () => {
    await answerAs(node, 'node', 7171);
    expect(await ask(node, { protocol: 'tcp', address: '127.0.0.1', port: 7171 })).toMatchObject({
      name: 'node',
    });
    b.ip('route add 127.0.0.0/8 dev eth0 table 99');
    b.ip('rule add pref 0 to 127.0.0.0/8 iif lo table 99');
    b.ip('rule add pref 100 table local');
    b.ip('rule del pref 0 table local');
    b.sysctl('net.ipv4.conf.all.route_localnet', 1);
    const question = { protocol: 'tcp', address: '127.0.0.1', port: 7171, seconds: 1 } as const;
    expect(await ask(b, question)).toEqual({ error: 'TimeoutError' });
    expect(await drops(site.node)).toHaveProperty('martian');
  });
});

describe('what becomes of it', () => {
  const v4 = underlayAddress(3, 4);
  const UDP = { protocol: 'udp', address: v4, port: 5353, sourcePort: 5000 } as const;
  const TCP: Question = { protocol: 'tcp', address: v4, port: PORT };
  const config = weftConfig(3, {
    config: { node: { address: [v4, underlayAddress(3, 6)] }, host: { natOutgoing: false } },
  });
  let weft: WeftNode;
  beforeAll(async () => {
    node = underlay.host(3);
    node.run('nft', 'add', 'table', 'inet', 'foreign');
    weft = await WeftNode.start(run, node, { config });
    ({ socket } = weft);
  });

  it('is there with the first pod that wants it, and gone with the last', async () => {
    const [a, b] = [pod('a'), pod('b')];
    expect(tables()).toBe('table inet foreign');
    await added('a', a, both({ hostPort: PORT }));
    await added('b', b, both({ hostPort: 9090 }));
    expect(tables()).toBe('table inet foreign\ntable inet weft_nat_weft0');
    await deleted('a');
    await answerAs(b, 'b', 80);
    expect(await ask(outside, TCP)).toEqual({ error: 'ConnectionRefusedError' });
    expect(await ask(outside, { ...TCP, port: 9090 })).toMatchObject({ name: 'b' });
    await deleted('b');
    expect(tables()).toBe('table inet foreign');
    expect(node.run('sysctl', '-n', 'net.ipv4.conf.weft0.route_localnet').trim()).toBe('0');
  });

  it('at one address of the node is that of another pod at another', async () => {
    node.ip('addr add 192.168.77.103/24 dev u0');
    const [a, b] = [pod('a'), pod('b')];
    await added('a', a, [{ hostPort: PORT, hostIP: v4 }]);
    await added('b', b, [{ hostPort: PORT, hostIP: '192.168.77.103' }]);
    await answerAs(a, 'a', 80);
    await answerAs(b, 'b', 80);
    expect(await ask(outside, TCP)).toMatchObject({ name: 'a' });
    expect(await ask(outside, { ...TCP, address: '192.168.77.103' })).toMatchObject({ name: 'b' });
    expect(await ask(outside, { ...TCP, address: underlayAddress(3, 6) })).toEqual({
      error: 'ConnectionRefusedError',
    });
    for (const id of ['a', 'b']) await deleted(id);
  });

  it('changes for UDP flows that have begun as well, those of a port without a pod included', async () => {
    const [a, b] = [pod('a'), pod('b')];
    const mapping = [{ hostPort: 5353, protocol: 'udp' }];
    expect(await ask(outside, UDP)).toEqual({ error: 'ConnectionRefusedError' });
    await added('a', a, mapping);
    await answerAs(a, 'a', 80);
    expect(await ask(outside, UDP)).toMatchObject({ name: 'a' });
    await deleted('a');
    expect(await ask(outside, UDP)).toEqual({ error: 'ConnectionRefusedError' });
    await added('b', b, mapping);
    await answerAs(b, 'b', 80);
    expect(await ask(outside, UDP)).toMatchObject({ name: 'b' });
    await deleted('b');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'stays over %s of the daemon',
    { timeout: 60_000 },
    async (signal) => {
      const a = pod('a');
      await added('stays', a, both({ hostPort: PORT }));
      await answerAs(a, 'a', 80);
      await weft.stop(signal);
      const before = node.run('nft', 'list', 'table', 'inet', 'weft_nat_weft0');
      expect(before).toContain('tcp . 8080');
      weft = await WeftNode.start(run, node, { config });
      expect(node.run('nft', 'list', 'table', 'inet', 'weft_nat_weft0')).toBe(before);
      expect(await ask(outside, TCP)).toMatchObject({ name: 'a' });
      expect(await ask(node, { ...TCP, address: '127.0.0.1' })).toMatchObject({ name: 'a' });
      expect(await add('other', pod('b'), [{ hostPort: PORT }])).toMatchObject({ output: { code: 105 } });
      await deleted('stays');
      expect(tables()).toBe('table inet foreign');
    },
  );

  it('is gone with a pod that is deleted or vanishes while no daemon runs', { timeout: 60_000 }, async () => {
    const [a, b, c] = [pod('a'), pod('b'), pod('c')];
    await added('a', a, [{ hostPort: 8001 }]);
    await added('b', b, [{ hostPort: 8002 }]);
    await added('c', c, [{ hostPort: 8003 }]);
    await weft.stop('SIGKILL');
    await deleted('a');
    b.run('ip', 'link', 'del', 'eth0');
    weft = await WeftNode.start(run, node, { config });
    const map = node.run('nft', 'list', 'map', 'inet', 'weft_nat_weft0', 'ports4');
    expect(['8001', '8002', '8003'].filter((port) => map.includes(port))).toEqual(['8003']);
    await added('d', pod('d'), [{ hostPort: 8001 }, { hostPort: 8002 }]);
    for (const id of ['c', 'd']) await deleted(id);
  });

  it('takes SCTP as well', async () => {
    await added('a', pod('a'), [{ hostPort: 3868, protocol: 'SCTP' }]);
    expect(node.run('nft', 'list', 'map', 'inet', 'weft_nat_weft0', 'ports6')).toMatch(
      /sctp \. 3868 : fd00:244:3::\w+ \. 80/,
    );
    await deleted('a');
  });

  it('leaves nothing when the daemon ends without pods', async () => {
    await weft.stop();
    expect(tables()).toBe('table inet foreign');
  });
});
