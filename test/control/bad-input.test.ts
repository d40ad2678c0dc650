// What `weft node` says to wrong input and to machines that lack something: one line that says what to do, the exit status,
// and nothing half-made left behind.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeDescriptors } from '../../engine/device/descriptors.ts';
import { inNamespace } from '../../sys/netns.ts';
import { udpSocket } from '../../sys/socket.ts';
import { addressToBytes, parseAddress } from '../../wire/address.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import { type RunOptions, socketFile, weft, writeConfig } from '../support/weft.ts';

let world: NodeWorld;
let folder: string;
let count = 0;

beforeAll(() => {
  world = makeNodeWorld();
});
afterAll(() => world?.close());
beforeEach(() => {
  folder = join(world.folder, String(count++));
  mkdirSync(folder);
});

const forwarding = () => world.node.run('cat', '/proc/sys/net/ipv4/ip_forward').trim();

/** Runs `weft node`, which is to fail. */
async function refused(file: string, status: number, message: RegExp, options: RunOptions = {}) {
  const result = await weft(['node', '--config', file], { within: world.within, ...options });
  expect(result).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
  expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(result.stderr).toMatch(/^weft: /);
  expect(world.leftovers()).toEqual([]);
  expect(existsSync(socketFile(folder))).toBe(false);
  expect(forwarding()).toBe('0');
}

describe('configuration that is wrong', () => {
  const routes = (changed: object) => ({
    routes: [{ to: '10.244.2.0/24', via: '192.168.77.2', ...changed }],
  });
  const wrong: [string, Record<string, unknown>, RegExp][] = [
    ['an unknown key', { encap: { typ: 'vxlan' } }, /encap\.typ: unknown key; did you mean 'type'\?/],
    ['an unknown section', { route: [] }, /route: unknown key; did you mean 'routes'\?/],
    [
      'an address',
      { node: { address: ['192.168.77'] } },
      /node\.address\[0\]: '192\.168\.77' is not an IP address/,
    ],
    ['an address with a prefix length', routes({ via: '192.168.77.2/24' }), /routes\[0\]\.via: /],
    [
      'a prefix with host bits',
      routes({ to: '10.244.2.5/24' }),
      /routes\[0\]\.to: .*host bits set; the prefix is 10\.244\.2\.0\/24/,
    ],
    [
      'a pod range with host bits',
      { pods: { cidrs: ['fd00::1/64'] } },
      /pods\.cidrs\[0\]: .*host bits set; the prefix is fd00::\/64/,
    ],
    [
      'a port',
      { encap: { vxlan: { port: 70000 } } },
      /encap\.vxlan\.port: expected a whole number from 1 to 65535, found 70000/,
    ],
    ['a VNI', { encap: { vxlan: { vni: 2 ** 24 } } }, /encap\.vxlan\.vni: expected a whole number/],
    ['a MAC of a group', routes({ mac: '01:00:5e:00:00:01' }), /routes\[0\]\.mac: /],
    ['a metrics address', { metrics: { listen: ':9477' } }, /metrics\.listen: expected IP address:port/],
    ['a relative socket', { api: { socket: 'weft.sock' } }, /api\.socket: expected an absolute path/],
  ];
  it.each(wrong)('%s', async (_, config, message) => {
    const file = writeConfig(folder, config);
    await refused(file, 2, new RegExp(`^weft: ${file}: ${message.source}`));
    expect(existsSync(join(folder, 'state'))).toBe(false);
  });

  it('no file', () => refused(join(folder, 'none.yaml'), 2, /none\.yaml: there is no such file/));

  it('a folder', () => refused(folder, 2, /it is a folder; name a file/));

  it('no YAML', async () => {
    const file = join(folder, 'weft.yaml');
    writeFileSync(file, 'node: {name: a\nroutes: []\n');
    await refused(file, 2, /weft\.yaml: line \d: not valid YAML/);
  });
});

describe('a machine that lacks something', () => {
  it('privileges', async () => {
    const within = [...world.within, 'setpriv', '--bounding-set=-net_admin', '--inh-caps=-all'];
    await refused(writeConfig(folder), 1, /lacks the privilege CAP_NET_ADMIN: run it as root/, { within });
  });

  it('privileges of any kind, as another user', async () => {
    const within = [...world.within, 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const file = '/proc/self/fd/0'; // What is in the folder, that user may not read.
    const config = readFileSync(writeConfig(folder), 'utf8');
    const shell = ['sh', '-c', `printf '%s' '${config}' | "$@"`, 'sh'];
    await refused(file, 1, /CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN/, { within: [...within, ...shell] });
  });

  it.each([
    ['gone', 'mount -t tmpfs none /dev/net', /\/dev\/net\/tun.*ENOENT/],
    ['something else', 'mount --bind /dev/null /dev/net/tun', /\/dev\/net\/tun|TUN/],
  ])('/dev/net/tun that is %s', async (_, mount, message) => {
    const within = [...world.within, 'unshare', '--mount', 'sh', '-c', `${mount} && exec "$@"`, 'sh'];
    await refused(writeConfig(folder), 1, message, { within });
  });

  it('the group', () =>
    refused(
      writeConfig(folder, { api: { socket: socketFile(folder), group: 'nobody-has-this' } }),
      1,
      /api\.group: there is no group 'nobody-has-this' on this machine; make it \(groupadd/,
    ));

  it('the underlay address', () =>
    refused(
      writeConfig(folder, { node: { address: ['192.168.77.99'] } }),
      1,
      /node\.address: 192\.168\.77\.99 is not an address of this node, which has .*192\.168\.77\.1 \(u0\)/,
    ));

  it('a default route, when no address is given', () =>
    refused(writeConfig(folder, { node: {} }), 1, /node\.address: this node has no default route/));
});

describe('what somebody else has', () => {
  it('the UDP port, a program', async () => {
    const address = addressToBytes(parseAddress('192.168.77.1'));
    const fd = inNamespace(world.node.path, () => udpSocket({ family: 4, address, port: 4789 }));
    try {
      await refused(
        writeConfig(folder),
        1,
        /encap\.vxlan\.port: UDP port 4789 .* is in use.*choose another port/,
      );
    } finally {
      closeDescriptors([fd]);
    }
  });

  it('the UDP port, a kernel VXLAN device', async () => {
    world.node.run('ip', ...'link add vx0 type vxlan id 7 dev u0 dstport 4789'.split(' '));
    world.node.run('ip', 'link', 'set', 'vx0', 'up');
    try {
      await refused(
        writeConfig(folder),
        1,
        /encap\.vxlan\.port: UDP port 4789 .* is in use.*ip -d link show type vxlan/,
      );
    } finally {
      world.node.run('ip', 'link', 'del', 'vx0');
    }
  });

  it('the socket, which is a file', async () => {
    mkdirSync(join(folder, 'run'));
    writeFileSync(socketFile(folder), 'precious');
    const file = writeConfig(folder);
    const result = await weft(['node', '--config', file], { within: world.within });
    expect(result).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^weft: api\.socket: .* is no socket; remove it.*\n$/),
    });
    expect(readFileSync(socketFile(folder), 'utf8')).toBe('precious');
  });

  it('the state folder', async () => {
    const holder = await world.start({ folder: join(folder, 'first') });
    const elsewhere = world.namespace();
    elsewhere.run('ip', 'address', 'add', '192.168.77.1/24', 'dev', 'lo');
    const file = writeConfig(folder, { state: join(folder, 'first/state') });
    const within = ['nsenter', `--net=${elsewhere.path}`];
    const result = await weft(['node', '--config', file], { within });
    expect(result).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^weft: .*state is in use by another weft node \(process \d+\); stop it.*\n$/,
      ),
    });
    expect(elsewhere.run('ip', '-o', 'link')).not.toContain('weft0');
    await holder.stop();
  });

  it('the interface name', async () => {
    world.node.run('ip', ...'link add weft7 type veth peer name u7'.split(' '));
    const file = writeConfig(folder, { host: { interface: 'weft7' } });
    const result = await weft(['node', '--config', file], { within: world.within });
    world.node.run('ip', 'link', 'del', 'weft7');
    expect(result).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/host\.interface: weft7 exists/),
    });
    expect(world.leftovers()).toEqual([]);
  });
});
