/** CNI_ARGS: 'KEY=VALUE;KEY=VALUE'. The conventions' IP and MAC are ours; Kubernetes' are let be; others only with IgnoreUnknown. */
import { type Address, parseAddress } from '../../wire/address.ts';
import { CniCode, CniError } from './error.ts';

export interface Args {
  readonly ips?: readonly Address[];
  readonly mac?: string;
}

const LET_BE = new Set([
  'IgnoreUnknown',
  'K8S_POD_NAME',
  'K8S_POD_NAMESPACE',
  'K8S_POD_UID',
  'K8S_POD_INFRA_CONTAINER_ID',
]);

export function parseArgs(text: string): Args {
  const pairs = text
    .split(';')
    .filter(Boolean)
    .map((pair): [string, string] => {
      const at = pair.indexOf('=');
      if (at < 1) throw wrong(`${JSON.stringify(pair)} is not KEY=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
  const args = new Map(pairs);
  const ignoreUnknown = ['1', 'true'].includes(args.get('IgnoreUnknown')?.toLowerCase() ?? '');
  const [ip, mac] = [args.get('IP'), args.get('MAC')];
  const unknown = [...args.keys()].filter((key) => key !== 'IP' && key !== 'MAC' && !LET_BE.has(key));
  if (unknown.length > 0 && !ignoreUnknown) {
    throw wrong(`unknown ${unknown.join(', ')}; leave it out, or add IgnoreUnknown=1`);
  }
  return { ...(ip && { ips: ip.split(',').map(address) }), ...(mac && { mac }) };
}

/** The conventions' example has a prefix length behind the address; what the pod gets is one address. */
function address(text: string): Address {
  try {
    return parseAddress(text.trim().split('/')[0]);
  } catch (error) {
    throw wrong(`IP: ${(error as Error).message}`);
  }
}

function wrong(problem: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `CNI_ARGS: ${problem}`);
}
