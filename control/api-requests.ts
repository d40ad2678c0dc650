/** What the API accepts: the bodies and queries of its requests as schemas whose output is what NodeService takes. */
import { z } from 'zod';
import { readBandwidth } from '../cni/bandwidth.ts';
import type { Call } from '../cni/plugin/call.ts';
import { list, problemsOf, problemText, section, value } from './config/shapes.ts';
import * as kind from './config/values.ts';
import { WeftError } from './errors.ts';
import type {
  AttachRequest,
  BgpClear,
  BgpDump,
  BgpRecord,
  BgpRoutesQuery,
  BgpShutdown,
  DetachRequest,
  IpamReleaseRequest,
  PacketDescription,
} from './service.ts';

/** What an id or interface name has to look like in detail is the attachment's business. */
const name: kind.Kind<string> = {
  right: 'text',
  read: (raw) => (typeof raw === 'string' && raw !== '' ? raw : undefined),
};

/** In a query, where everything is text. */
const flag: kind.Kind<boolean> = {
  right: "'true' or 'false'",
  read: (raw) => (raw === 'true' ? true : raw === 'false' ? false : undefined),
};

/** A number there. */
const digits = (number: kind.Kind<number>): kind.Kind<number> => ({
  right: number.right,
  read: (raw) => (typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? number.read(Number(raw)) : undefined),
});

const DEFAULT_IFNAME = 'eth0';

const bits = value(kind.integer(0, Number.MAX_SAFE_INTEGER), 0);

const bandwidth = section({
  ingressRate: bits,
  ingressBurst: bits,
  egressRate: bits,
  egressBurst: bits,
}).transform((wanted, { issues }) => {
  try {
    return readBandwidth(wanted);
  } catch (error) {
    issues.push({ code: 'custom', input: wanted, message: (error as Error).message });
    return z.NEVER;
  }
});

export const attachRequest: z.ZodType<AttachRequest> = section({
  id: value(name),
  ifname: value(name, DEFAULT_IFNAME),
  netns: value(kind.absolutePath),
  ips: list(value(kind.address), 'IP addresses').default([]),
  bandwidth: bandwidth.optional(),
});

export const detachRequest: z.ZodType<DetachRequest> = section({
  id: value(name),
  ifname: value(name, DEFAULT_IFNAME),
});

/** What the client of the CNI plugin passes on; what it means is the plugin's business. */
export const cniCall: z.ZodType<Call> = z.strictObject({
  env: z.record(z.string(), z.string()),
  stdin: z.string(),
  token: z.string().optional(),
});

export const ipamCheckRequest = section({ fix: value(kind.bool, false) });

export const ipamReleaseRequest: z.ZodType<IpamReleaseRequest> = section({
  ip: value(kind.address),
  force: value(kind.bool, false),
});

export const routesQuery = section({ address: value(kind.address, undefined) });

const given = { prefix: value(kind.prefix), peer: value(name) };

export const bgpRoutesQuery: z.ZodType<BgpRoutesQuery> = section({
  rib: value(kind.oneOf('local', 'in', 'out'), 'local'),
  peer: value(name, undefined),
  beforePolicy: value(flag, false),
  prefix: value(kind.prefix, undefined),
});

export const bgpWhyQuery = section({ prefix: given.prefix });

export const bgpRecordQuery: z.ZodType<BgpRecord> = section({
  peer: given.peer,
  seconds: value(digits(kind.integer(1, 86_400)), 60),
  messages: value(digits(kind.integer(1, 1e9)), undefined),
});

export const bgpDumpQuery: z.ZodType<BgpDump> = section({
  rib: value(kind.oneOf('received', 'accepted', 'local'), 'received'),
  peer: value(name, undefined),
});

export const bgpClearRequest: z.ZodType<BgpClear> = section({
  peer: given.peer,
  how: value(kind.oneOf('hard', 'in', 'out')),
});

export const bgpShutdownRequest: z.ZodType<BgpShutdown> = section({
  peer: given.peer,
  text: value(kind.shutdownText, ''),
});

export const bgpEnableRequest = section({ peer: given.peer });

export const noQuery = section({});

const byte = kind.integer(0, 255);
const portNumber = kind.integer(0, 65535);
const TCP = 6;

export const whyRequest: z.ZodType<PacketDescription> = section({
  source: value(kind.address),
  destination: value(kind.address),
  protocol: value(byte, TCP),
  sourcePort: value(portNumber, 0),
  destinationPort: value(portNumber, 0),
  length: value(kind.integer(20, 65535), 100),
  ttl: value(byte, 64),
  dontFragment: value(kind.bool, true),
}).check(({ value: packet, issues }) => {
  const { source, destination } = packet;
  if (source.family === destination.family) return;
  const message = `is IPv${destination.family}, the source IPv${source.family}; give two addresses of one family`;
  issues.push({ code: 'custom', input: packet, path: ['destination'], message });
});

/** @throws WeftError 'invalid', saying where and what would be right */
export function readRequest<T>(schema: z.ZodType<T>, raw: unknown): T {
  const result = schema.safeParse(raw ?? {});
  if (result.success) return result.data;
  throw new WeftError('invalid', problemText(problemsOf(result.error)[0]));
}
