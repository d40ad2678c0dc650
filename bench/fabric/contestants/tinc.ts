/** tinc 1.0, where it is installed, without cipher and digest: what its one packet a call costs, not its cryptography. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attachRouted, CIDRS, ownedBy, SIDES, type Site, UNDERLAY } from './site.ts';

const NAMES = ['a', 'b'] as const;
/** Outer headers and tinc's own, rounded up. */
const OVERHEAD = 50;
const PATIENCE_MS = 10_000;
const DEVICE = 'tinc0';

export async function tinc(site: Site): Promise<number[]> {
  const { nodes, setting } = site;
  const keys = SIDES.map(() =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    }),
  );
  const hosts = SIDES.map((i) =>
    [
      `Address = ${UNDERLAY[i]}`,
      `Subnet = ${CIDRS[setting.family][i]}`,
      'Cipher = none',
      'Digest = none',
      'Compression = 0',
      keys[i].publicKey,
    ].join('\n'),
  );
  const processes: number[] = [];
  for (const i of SIDES) {
    const folder = site.run.folderOf(nodes[i]);
    mkdirSync(join(folder, 'hosts'), { recursive: true });
    for (const j of SIDES) writeFileSync(join(folder, 'hosts', NAMES[j]), hosts[j]);
    writeFileSync(join(folder, 'rsa_key.priv'), keys[i].privateKey, { mode: 0o600 });
    const connect = i === 1 ? `ConnectTo = ${NAMES[0]}\n` : '';
    const config = `Name = ${NAMES[i]}\nInterface = ${DEVICE}\nMode = router\nDeviceType = tun\n`;
    writeFileSync(join(folder, 'tinc.conf'), config + connect);
    const files = ['--config', folder, `--pidfile=${join(folder, 'tinc.pid')}`];
    const child = nodes[i].start('tincd', ['--no-detach', ...files], { stdio: 'ignore' });
    processes.push(ownedBy(site, child));
    await present(site, i);
    const mtu = setting.mtu - OVERHEAD;
    nodes[i].ip(`link set ${DEVICE} mtu ${mtu} up`);
    attachRouted(site, i, mtu);
    nodes[i].ip(`route add ${CIDRS[setting.family][1 - i]} dev ${DEVICE}`);
  }
  return processes;
}

/** tincd makes its interface when it is ready to. */
async function present({ nodes }: Site, side: 0 | 1): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      nodes[side].ip(`link show ${DEVICE}`);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
