/**
 * CHECK: whether an attachment still is what ADD made of it, by what the runtime remembers (prevResult), by the lease and by
 * the interface as it is. What plugins behind ours may change (MTU, the tables that routes are in) is theirs. Pure.
 */
import { formatAddress } from '../../wire/address.ts';
import type { Attachment } from '../attachment.ts';
import { type Bandwidth, statedBandwidth } from '../bandwidth.ts';
import type { ObservedInterface } from '../inspect.ts';
import type { Result } from './result.ts';

/** What is not as it was, each with what is there instead; empty: all is well. */
export function differences(
  attachment: Attachment,
  remembered: Result,
  observed: ObservedInterface | undefined,
  forwards: boolean,
  bandwidth?: Bandwidth,
): string[] {
  const { ifname } = attachment;
  const found = [...ofResult(attachment, remembered), ...ofBandwidth(attachment, bandwidth)];
  if (observed === undefined) return [...found, `${ifname} is gone from the pod`];
  if (observed.kind !== 'tun')
    return [...found, `${ifname} is another interface (${observed.kind ?? 'hardware'})`];
  if (!observed.up) found.push(`${ifname} is down`);
  for (const ip of attachment.ips) {
    const text = formatAddress(ip);
    if (!observed.ips.some((one) => formatAddress(one) === text))
      found.push(`${ifname} no longer has ${text}`);
    if (!observed.defaultRoutes.includes(ip.family))
      found.push(`no IPv${ip.family} default route through ${ifname}`);
  }
  if (!forwards) found.push(`the engine does not forward for ${ifname}`);
  return found;
}

/** Limits are looked at when the runtime says which they were. */
function* ofBandwidth(attachment: Attachment, wanted: Bandwidth | undefined): Generator<string> {
  if (!wanted) return;
  const has = statedBandwidth(attachment.bandwidth);
  for (const [key, value] of Object.entries(statedBandwidth(wanted))) {
    const now = has[key as keyof typeof has];
    if (now !== value) yield `bandwidth.${key} was ${value}, ${attachment.ifname} has ${now}`;
  }
}

function* ofResult(attachment: Attachment, { interfaces, ips }: Result): Generator<string> {
  const { ifname, mac } = attachment;
  const at = interfaces.findIndex(({ name, sandbox }) => name === ifname && sandbox !== undefined);
  const remembered = interfaces[at];
  if (!remembered) return yield `prevResult has no interface ${ifname} in the pod`;
  if (remembered.mac?.toLowerCase() !== mac) {
    yield `prevResult has MAC ${remembered.mac ?? 'none'} for ${ifname}, the node has ${mac}`;
  }
  const own = ips.filter((ip) => ip.interface === at).map(({ address }) => address.split('/')[0]);
  const leased = attachment.ips.map(formatAddress);
  const same = own.length === leased.length && leased.every((ip) => own.includes(ip));
  if (!same)
    yield `prevResult has ${own.join(' ') || 'no address'} for ${ifname}, leased is ${leased.join(' ')}`;
}
