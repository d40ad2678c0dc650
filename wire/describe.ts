// A packet as one line for people: `10.244.1.2:4242 > 10.244.2.2:80 TCP [S] len 60 ttl 64`. For captures, tests and
// explanations, never on the data path: it allocates. Reads any bytes whatever without an exception or a look outside
// them, and says what is missing. Tunnels and ICMP errors are followed inside. Does not judge checksums.

import { type Address, formatAddress, ipv4 as ipv4Address, ipv6 as ipv6Address } from './address.ts';
import * as ethernet from './ethernet.ts';
import * as icmp from './icmp.ts';
import * as icmp6 from './icmp6.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import { formatMac } from './mac.ts';
import { Protocol } from './protocol.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vxlan from './vxlan.ts';

/** Packets in packets; the innermost of them is left out. */
const DEEPEST = 4;

/** @param packet begins with an IPv4 or IPv6 header; what is behind the length that it tells is not looked at */
export const describePacket = (packet: Uint8Array): string =>
  ip(new DataView(packet.buffer, packet.byteOffset, packet.length), 0, packet.length, DEEPEST);

/** @param frame begins with an Ethernet header, such as the inner frame of VXLAN */
export const describeFrame = (frame: Uint8Array): string =>
  ether(new DataView(frame.buffer, frame.byteOffset, frame.length), 0, frame.length, DEEPEST);

// Each of the following describes what begins at `o` and ends before `end`, and goes `depth` packets deeper.

const ether = (v: DataView, o: number, end: number, depth: number): string => {
  if (end - o < ethernet.LENGTH) return short('Ethernet frame', end - o, ethernet.LENGTH);
  const type = ethernet.type(v, o);
  const known = type === ethernet.EtherType.ipv4 || type === ethernet.EtherType.ipv6;
  const inside = known
    ? ip(v, o + ethernet.LENGTH, end, depth)
    : `type 0x${type.toString(16).padStart(4, '0')}`;
  return `${formatMac(ethernet.source(v, o))} > ${formatMac(ethernet.destination(v, o))} ${inside}`;
};

const ip = (v: DataView, o: number, end: number, depth: number): string => {
  if (depth === 0) return '…';
  if (end === o) return 'no bytes';
  const version = v.getUint8(o) >> 4;
  if (version === 4) return ip4(v, o, end, depth);
  return version === 6 ? ip6(v, o, end, depth) : `not an IP packet (version ${version}), ${end - o} bytes`;
};

const ip4 = (v: DataView, o: number, end: number, depth: number): string => {
  if (end - o < ipv4.MIN_LENGTH) return short('IPv4 packet', end - o, ipv4.MIN_LENGTH);
  const total = ipv4.totalLength(v, o);
  const header = ipv4.headerLength(v, o);
  const tail = [`len ${total}`, `ttl ${ipv4.ttl(v, o)}`, ...tos(ipv4.tos(v, o))];
  if (ipv4.isFragment(v, o)) {
    const more = ipv4.moreFragments(v, o) ? '+' : '';
    tail.push(`frag ${ipv4.identification(v, o)}@${ipv4.fragmentOffset(v, o) * 8}${more}`);
  }
  const from = ipv4Address(ipv4.source(v, o));
  const to = ipv4Address(ipv4.destination(v, o));
  if (header < ipv4.MIN_LENGTH || header > total) {
    return compose(from, to, { what: `malformed: header of ${header} bytes` }, tail);
  }
  if (total > end - o) tail.push(`(cut to ${end - o})`);
  const protocol = ipv4.protocol(v, o);
  if (ipv4.fragmentOffset(v, o) !== 0) return compose(from, to, { what: protocolName(protocol) }, tail);
  return compose(from, to, upper(v, protocol, o + header, Math.min(end, o + total), depth), tail);
};

const ip6 = (v: DataView, o: number, end: number, depth: number): string => {
  if (end - o < ipv6.LENGTH) return short('IPv6 packet', end - o, ipv6.LENGTH);
  const total = ipv6.LENGTH + ipv6.payloadLength(v, o);
  const tail = [`len ${total}`, `hlim ${ipv6.hopLimit(v, o)}`, ...tos(ipv6.trafficClass(v, o))];
  const address = (word: typeof ipv6.sourceWord): Address =>
    ipv6Address(word(v, o, 0), word(v, o, 1), word(v, o, 2), word(v, o, 3));
  const from = address(ipv6.sourceWord);
  const to = address(ipv6.destinationWord);
  const last = Math.min(end, o + total);
  const found = ipv6.findUpperLayer(v, o, last - o);
  if (total > end - o) tail.push(`(cut to ${end - o})`);
  if (found < 0) return compose(from, to, { what: 'malformed: extension headers' }, tail);
  const protocol = ipv6.upperLayerProtocol(found);
  const later = ipv6.upperLayerIsLaterFragment(found);
  if (ipv6.upperLayerIsFragment(found)) tail.push(later ? 'later frag' : 'first frag');
  if (later) return compose(from, to, { what: protocolName(protocol) }, tail);
  return compose(from, to, upper(v, protocol, o + ipv6.upperLayerOffset(found), last, depth), tail);
};

/** What an IP packet carries: its name with what matters, ports, and a packet inside. */
interface Upper {
  readonly what: string;
  readonly ports?: readonly [from: number, to: number];
  readonly inside?: string;
}

const upper = (v: DataView, protocol: number, o: number, end: number, depth: number): Upper => {
  const length = end - o;
  if (protocol === Protocol.tcp) {
    if (length < tcp.MIN_LENGTH) return { what: short('TCP', length, tcp.MIN_LENGTH) };
    return {
      what: `TCP [${tcpFlags(tcp.flags(v, o))}]`,
      ports: [tcp.sourcePort(v, o), tcp.destinationPort(v, o)],
    };
  }
  if (protocol === Protocol.udp) {
    if (length < udp.LENGTH) return { what: short('UDP', length, udp.LENGTH) };
    const ports = [udp.sourcePort(v, o), udp.destinationPort(v, o)] as const;
    const inner = o + udp.LENGTH + vxlan.LENGTH;
    if (ports[1] !== vxlan.PORT || inner > end) return { what: 'UDP', ports };
    const header = o + udp.LENGTH;
    const vni = vxlan.hasVni(v, header) ? `vni ${vxlan.vni(v, header)}` : 'no vni';
    return { what: `VXLAN ${vni}`, ports, inside: ether(v, inner, end, depth - 1) };
  }
  if (protocol === Protocol.icmp)
    return message('ICMP', v, o, end, depth, nameIcmp(v, o, length), icmp.isError);
  if (protocol === Protocol.icmp6) {
    return message('ICMPv6', v, o, end, depth, nameIcmp6(v, o, length), (_, at) => icmp6.type(v, at) < 128);
  }
  if (protocol === Protocol.ipv4 || protocol === Protocol.ipv6) {
    return { what: protocolName(protocol), inside: ip(v, o, end, depth - 1) };
  }
  return { what: protocolName(protocol) };
};

const message = (
  name: string,
  v: DataView,
  o: number,
  end: number,
  depth: number,
  what: string,
  isError: (v: DataView, o: number) => boolean,
): Upper => {
  if (end - o < icmp.LENGTH) return { what: short(name, end - o, icmp.LENGTH) };
  if (!isError(v, o)) return { what: `${name} ${what}` };
  return { what: `${name} ${what}`, inside: ip(v, o + icmp.LENGTH, end, depth - 1) };
};

const nameIcmp = (v: DataView, o: number, length: number): string => {
  if (length < icmp.LENGTH) return '';
  const type = icmp.type(v, o);
  const code = icmp.code(v, o);
  if (type === icmp.Type.echoRequest) return `echo request ${echo(v, o)}`;
  if (type === icmp.Type.echoReply) return `echo reply ${echo(v, o)}`;
  if (type === icmp.Type.timeExceeded) return 'time exceeded';
  if (type !== icmp.Type.destinationUnreachable) return `type ${type} code ${code}`;
  if (code === icmp.Unreachable.fragmentationNeeded)
    return `fragmentation needed mtu ${icmp.nextHopMtu(v, o)}`;
  return `unreachable code ${code}`;
};

const nameIcmp6 = (v: DataView, o: number, length: number): string => {
  if (length < icmp6.LENGTH) return '';
  const type = icmp6.type(v, o);
  const code = icmp6.code(v, o);
  if (type === icmp6.Type.echoRequest) return `echo request ${echo(v, o)}`;
  if (type === icmp6.Type.echoReply) return `echo reply ${echo(v, o)}`;
  if (type === icmp6.Type.timeExceeded) return 'time exceeded';
  if (type === icmp6.Type.packetTooBig) return `packet too big mtu ${icmp6.mtu(v, o)}`;
  return type === icmp6.Type.destinationUnreachable
    ? `unreachable code ${code}`
    : `type ${type} code ${code}`;
};

const echo = (v: DataView, o: number): string => `id ${icmp.identifier(v, o)} seq ${icmp.sequence(v, o)}`;

const compose = (
  from: Address,
  to: Address,
  { what, ports, inside }: Upper,
  tail: readonly string[],
): string =>
  [
    `${endpoint(from, ports?.[0])} > ${endpoint(to, ports?.[1])}`,
    what,
    ...tail,
    ...(inside === undefined ? [] : [`{ ${inside} }`]),
  ].join(' ');

/** RFC 5952 section 6 for IPv6 with a port. */
const endpoint = (address: Address, port: number | undefined): string => {
  const text = formatAddress(address);
  if (port === undefined) return text;
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
};

const tos = (value: number): string[] =>
  value === 0 ? [] : [`tos 0x${value.toString(16).padStart(2, '0')}`];

const NAMES: ReadonlyMap<number, string> = new Map([
  [Protocol.icmp, 'ICMP'],
  [Protocol.ipv4, 'IPv4'],
  [Protocol.tcp, 'TCP'],
  [Protocol.udp, 'UDP'],
  [Protocol.ipv6, 'IPv6'],
  [Protocol.icmp6, 'ICMPv6'],
  [Protocol.sctp, 'SCTP'],
]);

const protocolName = (protocol: number): string => NAMES.get(protocol) ?? `protocol ${protocol}`;

/** The letters of tcpdump, in its order. */
const FLAGS = [
  [tcp.Flag.fin, 'F'],
  [tcp.Flag.syn, 'S'],
  [tcp.Flag.rst, 'R'],
  [tcp.Flag.psh, 'P'],
  [tcp.Flag.ack, '.'],
  [tcp.Flag.urg, 'U'],
  [tcp.Flag.ece, 'E'],
  [tcp.Flag.cwr, 'W'],
] as const;

const tcpFlags = (bits: number): string =>
  FLAGS.map(([flag, letter]) => ((bits & flag) === 0 ? '' : letter)).join('') || 'none';

const short = (what: string, has: number, needs: number): string =>
  `truncated ${what} (${has} of ${needs} bytes)`;
