// weft cni install and uninstall: what is put where, over what, and that it works from there.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cni } from '../support/cni.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import { type Daemon, weft } from '../support/weft.ts';

let world: NodeWorld;
let daemon: Daemon;
let folder: string;
let places: string[];

beforeAll(async () => {
  world = makeNodeWorld();
  daemon = await world.start();
});
afterAll(() => world?.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-cni-'));
  places = ['--bin', join(folder, 'bin'), '--conf', join(folder, 'conf/net.d')];
});
afterEach(() => rmSync(folder, { recursive: true }));

const plugin = () => join(folder, 'bin/weft-cni');
const configuration = () => join(folder, 'conf/net.d/10-weft.conflist');
const install = (...more: string[]) => daemon.weft('cni', 'install', ...places, ...more);
const uninstall = () => weft(['cni', 'uninstall', ...places]);

describe('weft cni install', () => {
  it('puts a plugin in place that works, and a configuration that names it', async () => {
    expect(await install('--name', 'fabric')).toEqual({
      status: 0,
      stdout: `plugin         ${plugin()}\nconfiguration  ${configuration()}\n`,
      stderr: '',
    });
    const { plugins, ...list } = JSON.parse(readFileSync(configuration(), 'utf8'));
    expect(list).toEqual({ cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.0.0', '1.1.0'], name: 'fabric' });
    expect(plugins).toEqual([{ type: 'weft-cni', socket: daemon.socket, capabilities: expect.any(Object) }]);
    expect([statSync(plugin()).mode & 0o777, statSync(configuration()).mode & 0o777]).toEqual([0o755, 0o644]);
    expect(readdirSync(join(folder, 'bin'))).toEqual(['weft-cni']);
    const isExecutable = readFileSync(plugin()).subarray(0, 4).toString('latin1') === '\x7fELF';
    expect(isExecutable).toBe(process.arch === 'x64');

    // As a runtime would, which need not have node in its path.
    const [{ socket }] = plugins;
    const netns = world.namespace().path;
    const added = await cni('ADD', { socket, netns, command: [plugin()] });
    expect(added).toMatchObject({
      status: 0,
      stderr: '',
      output: { ips: [{ address: '10.244.1.2/32' }, {}] },
    });
    expect(await cni('DEL', { socket, netns, command: [plugin()] })).toMatchObject({ status: 0, stdout: '' });
  });

  it('may be repeated, also while the plugin is being executed', async () => {
    await install();
    const waiting = spawn(plugin(), { env: { CNI_COMMAND: 'VERSION' }, stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = new Promise((resolve) => waiting.once('close', resolve));
    const before = statSync(plugin()).ino;
    expect((await install()).status).toBe(0);
    expect(statSync(plugin()).ino).not.toBe(before);
    waiting.stdin.end('{}');
    expect(await ended).toBe(0);
  });

  it('leaves no configuration without a daemon', async () => {
    const result = await weft(['cni', 'install', ...places, '--socket', join(folder, 'no.sock')]);
    expect(result).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no\.sock.*weft node --config FILE/),
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(await install('--name', '-x')).toMatchObject({ status: 2 });
  });

  it('touches nothing of others', async () => {
    mkdirSync(join(folder, 'bin'));
    writeFileSync(plugin(), 'something else');
    for (const run of [install, uninstall]) {
      expect(await run()).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/weft-cni is not of weft/),
      });
    }
    expect(readFileSync(plugin(), 'utf8')).toBe('something else');
    expect(existsSync(configuration())).toBe(false);
  });
});

describe('weft cni uninstall', () => {
  it('takes both away and nothing else, and succeeds again', async () => {
    await install();
    writeFileSync(join(folder, 'conf/net.d/20-other.conflist'), '{}');
    const removed = `removed  ${configuration()}\nremoved  ${plugin()}\n`;
    expect(await uninstall()).toEqual({ status: 0, stdout: removed, stderr: '' });
    expect(readdirSync(join(folder, 'bin'))).toEqual([]);
    expect(readdirSync(join(folder, 'conf/net.d'))).toEqual(['20-other.conflist']);
    expect(await uninstall()).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
