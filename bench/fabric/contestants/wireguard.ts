/**
 * wireguard-go, where it is installed. It encrypts, which Weft does not. Configured through its own socket, so that
 * nothing but wireguard-go is needed (https://www.wireguard.com/xplatform/).
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createConnection } from 'node:net';
import { attachRouted, CIDRS, ownedBy, SIDES, type Site, UNDERLAY } from './site.ts';

/** Outer IPv4 and UDP header, WireGuard's own and its tag. */
const OVERHEAD = 60;
const PORT = 51820;
const PATIENCE_MS = 10_000;

/** Interfaces are told apart by more than their namespace: the socket of each has its name. */
let made = 0;

export async function wireguard(site: Site): Promise<number[]> {
  const { nodes, setting } = site;
  const keys = SIDES.map(() => generateKeyPairSync('x25519'));
  const processes: number[] = [];
  for (const i of SIDES) {
    const name = `wg${process.pid}x${made++}`;
    const child = nodes[i].start('wireguard-go', ['--foreground', name], { stdio: 'ignore' });
    processes.push(ownedBy(site, child));
    const mtu = setting.mtu - OVERHEAD;
    const cidr = CIDRS[setting.family][1 - i];
    await configure(
      name,
      `set=1
private_key=${hex(keys[i].privateKey, 'd')}
listen_port=${PORT}
public_key=${hex(keys[1 - i].publicKey, 'x')}
endpoint=${UNDERLAY[1 - i]}:${PORT}
allowed_ip=${cidr}

`,
    );
    nodes[i].ip(`link set ${name} mtu ${mtu} up`);
    attachRouted(site, i, mtu);
    nodes[i].ip(`route add ${cidr} dev ${name}`);
  }
  return processes;
}

const hex = (key: KeyObject, part: 'd' | 'x'): string =>
  Buffer.from(key.export({ format: 'jwk' })[part] as string, 'base64url').toString('hex');

/** Tells the interface, as soon as it listens. */
async function configure(name: string, text: string): Promise<void> {
  const path = `/var/run/wireguard/${name}.sock`;
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const answer = await ask(path, text);
      if (/^errno=0$/m.test(answer)) return;
      throw new Error(`wireguard-go refused its configuration: ${answer.trim()}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'ENOENT' && code !== 'ECONNREFUSED') || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function ask(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = createConnection(path, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      if (answer.endsWith('\n\n')) socket.end();
    });
    socket.once('error', reject).once('close', () => resolve(answer));
  });
}
