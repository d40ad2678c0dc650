// Every verb in every version of the specification, as a runtime executes it: what is on stdout, to the byte but for names
// that each run has anew.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { thinClient } from '../../cni/thin-client/program.ts';
import { type CniCall, type CniResult, cni } from '../support/cni.ts';
import { compiled } from '../support/compiled.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import type { TestNamespace } from '../support/pod-namespace.ts';
import type { Daemon } from '../support/weft.ts';

const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const clients = process.arch === 'x64' ? (['script', 'executable'] as const) : (['script'] as const);
const NETWORK = {
  name: 'fabric',
  dns: { nameservers: ['10.96.0.10'] },
  runtimeConfig: { ips: ['10.244.1.9'], mac: '02:00:00:00:00:09' },
};

let world: NodeWorld;
let daemon: Daemon;
let pod: TestNamespace;
const commands: Record<string, string[]> = {};

beforeAll(async () => {
  world = makeNodeWorld();
  daemon = await world.start();
  pod = world.namespace();
  const client = join(compiled(), 'cni/client.js');
  const file = join(world.folder, 'weft-cni');
  const bytes = thinClient({ socket: daemon.socket, node: process.execPath, client, mark: 'weft' });
  writeFileSync(file, bytes, { mode: 0o755 });
  commands.script = [process.execPath, client];
  commands.executable = [file];
});
afterAll(() => world?.close());

/** Recorded: what ADD prints in a version, with SANDBOX for the namespace and POD6 for the address that is chosen. */
const V4 = '"address":"10.244.1.9/32","gateway":"10.244.1.1","interface":0';
const V6 = '"address":"POD6/128","gateway":"fd00:244:1::1","interface":0';
const DNS = '"dns":{"nameservers":["10.96.0.10"]}';
const ROUTES = '"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]';
const INTERFACE = '"name":"eth0","mac":"02:00:00:00:00:09"';
const old = `"ip4":{"ip":"10.244.1.9/32","gateway":"10.244.1.1","routes":[{"dst":"0.0.0.0/0"}]},"ip6":{"ip":"POD6/128","gateway":"fd00:244:1::1","routes":[{"dst":"::/0"}]},${DNS}}`;
const middle = `"interfaces":[{${INTERFACE},"sandbox":"SANDBOX"}],"ips":[{"version":"4",${V4}},{"version":"6",${V6}}],${ROUTES},${DNS}}`;
const ADDED: Record<string, string> = {
  '0.1.0': old,
  '0.2.0': old,
  '0.3.0': middle,
  '0.3.1': middle,
  '0.4.0': middle,
  '1.0.0': `"interfaces":[{${INTERFACE},"sandbox":"SANDBOX"}],"ips":[{${V4}},{${V6}}],${ROUTES},${DNS}}`,
  '1.1.0': `"interfaces":[{${INTERFACE},"mtu":1450,"sandbox":"SANDBOX"}],"ips":[{${V4}},{${V6}}],${ROUTES},${DNS}}`,
};

const silent = { status: 0, stdout: '', stderr: '' };
const refused = (cniVersion: string, code: number, msg: RegExp) => ({
  status: 1,
  stderr: '',
  output: { cniVersion, code, msg: expect.stringMatching(msg) },
});

describe.each(clients)('%s', (kind) => {
  describe.each(VERSIONS)('%s', (version) => {
    const call = (verb: string, more: object = {}, changed: Partial<CniCall> = {}): Promise<CniResult> =>
      cni(verb, {
        socket: daemon.socket,
        id: `v${version}`,
        netns: pod.path,
        command: commands[kind],
        config: { ...NETWORK, cniVersion: version, ...more },
        ...changed,
      });
    let prevResult: object;

    it('ADD', async () => {
      const { status, stdout, stderr } = await call('ADD');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const [pod6] = /fd00:244:1::[0-9a-f]+(?=\/128)/.exec(stdout) ?? ['none'];
      const recorded = ADDED[version].replace('SANDBOX', pod.path).replace('POD6', pod6);
      expect(stdout).toBe(`{"cniVersion":"${version}",${recorded}\n`);
      prevResult = JSON.parse(stdout);
      expect(await call('ADD')).toMatchObject(refused(version, 101, /already/));
    });

    it('CHECK', async () => {
      const answer = await call('CHECK', { prevResult });
      if (version < '0.4.0')
        expect(answer).toMatchObject(refused(version, 1, /^CHECK is part of CNI 0\.4\.0/));
      else expect(answer).toMatchObject(silent);
      const none = await call('CHECK', { prevResult }, { id: 'nobody' });
      if (version >= '0.4.0') expect(none).toMatchObject(refused(version, 3, /^nobody has no attachment/));
    });

    it('GC', async () => {
      const valid = [{ containerID: `v${version}`, ifname: 'eth0' }];
      const answer = await call('GC', { 'cni.dev/valid-attachments': valid });
      if (version < '1.1.0') expect(answer).toMatchObject(refused(version, 1, /^GC is part of CNI 1\.1\.0/));
      else expect(answer).toMatchObject(silent);
    });

    it('STATUS', async () => {
      const answer = await call('STATUS');
      if (version < '1.1.0') expect(answer).toMatchObject(refused(version, 1, /^STATUS is part of/));
      else expect(answer).toMatchObject(silent);
    });

    it('VERSION', async () => {
      const { status, stdout } = await call('VERSION');
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toEqual({ cniVersion: version, supportedVersions: VERSIONS });
    });

    it('DEL', async () => {
      expect(await call('DEL', { prevResult })).toMatchObject(silent);
      // As containerd repeats it.
      expect(await call('DEL', {}, { netns: '' })).toMatchObject(silent);
      expect((await daemon.json<object[]>('pods')).length).toBe(0);
    });
  });

  it.each(['0.0.1', '1.2.0', '2.0.0'])('refuses every verb of version %s', async (cniVersion) => {
    for (const verb of ['ADD', 'CHECK', 'DEL', 'GC', 'STATUS']) {
      const config = { ...NETWORK, cniVersion };
      const answer = await cni(verb, {
        socket: daemon.socket,
        netns: pod.path,
        command: commands[kind],
        config,
      });
      expect(answer).toMatchObject(refused('1.1.0', 1, /^incompatible CNI versions/));
    }
  });
});
