/** What the lab needs of the machine, before it makes anything: root, and programs with the Debian packages that have them. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { WeftError } from '../control/errors.ts';

/** For building. */
const BUILDING = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nsenter: 'util-linux',
  nft: 'nftables',
  sysctl: 'procps',
};
/** For checks and measurements. */
const CHECKING = { ping: 'iputils-ping', traceroute: 'traceroute', python3: 'python3', iperf3: 'iperf3' };

/** @throws WeftError 'denied' or 'unsupported' */
export function checkMachine(purpose: 'build' | 'demo'): void {
  checkRoot();
  const needed = purpose === 'build' ? BUILDING : { ...BUILDING, ...CHECKING };
  const missing = Object.entries(needed).filter(([program]) => !isInPath(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new WeftError(
    'unsupported',
    `the lab needs ${missing.map(([program]) => program).join(', ')}; on Debian: apt-get install ${packages}`,
  );
}

export function checkRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new WeftError('denied', 'the lab is made of network namespaces, which takes root; run it as root');
}

function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
