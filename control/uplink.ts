/**
 * The way by which super-packets leave whole (engine/uplink-sender.ts): a TAP in the node's namespace, from which the kernel
 * forwards to the underlay. Looks whether the underlay's device cuts inside of tunnels, at the start and when links have
 * changed, and every second whether the kernel forwards from there: sends a packet of its own in and takes it out again.
 * What a setting or a firewall refuses is found out that way, and not by pods whose large packets are lost.
 *
 *   workers ▸ weft-up0 ▸ the kernel's firewall, routes ▸ underlay          probe ▸ weft-up0 ▸ … ▸ weft-up0 ▸ probe
 */
import { randomInt } from 'node:crypto';
import { readFileSync, readSync, writeSync } from 'node:fs';
import type { Log } from '../cni/host.ts';
import type { Uplink as EngineUplink } from '../engine/uplink-sender.ts';
import { activeFeatures } from '../sys/ethtool.ts';
import { libc } from '../sys/libc.ts';
import { links, RouteScope, type Rtnetlink, routes } from '../sys/rtnetlink.ts';
import {
  openTunQueue,
  setOffload,
  setVnetHeaderSize,
  TunOffload,
  VNET_TUNNEL_HEADER_SIZE,
} from '../sys/tun.ts';
import { addressEquals, addressToBytes, parseAddress } from '../wire/address.ts';
import { type Mac, macFromBytes } from '../wire/mac.ts';
import { codeOf } from './errors.ts';
import type { OffloadState } from './service.ts';
import { setSysctl } from './sysctl.ts';
import type { Underlay, UnderlayAddress } from './underlay.ts';
import { isProbe, probePacket } from './uplink-probe.ts';

const NAME = 'weft-up%d';
/** The IPv4 dummy address (RFC 7600): no one's. */
const NOWHERE = parseAddress('192.0.0.8');
const FEATURE = 'tx-udp_tnl-csum-segmentation';
const OFFLOADS =
  TunOffload.checksum |
  TunOffload.tso4 |
  TunOffload.tso6 |
  TunOffload.uso4 |
  TunOffload.uso6 |
  TunOffload.udpTunnel |
  TunOffload.udpTunnelChecksum;

/** Milliseconds from one look to the next. */
const PERIOD = 1000;
/** How often a probe is looked for, and milliseconds between. */
const LOOKS = 20;
const BETWEEN = 2;
const BUFFER = 65536 + VNET_TUNNEL_HEADER_SIZE;

export interface UplinkOptions {
  /** `engine.offload.tunnelSegmentation`, and VXLAN is in use. */
  readonly wanted: boolean;
  readonly underlay: Pick<Underlay, 'addresses'>;
  /** UDP port of VXLAN. */
  readonly port: number;
  readonly netlink: Rtnetlink;
  readonly log: Log;
  /** Whether it can be used; not, until this is called. */
  onChange(usable: boolean): void;
}

export interface Uplink {
  /** Undefined where there is none, and will be none. */
  readonly engine: Omit<EngineUplink, 'ports'> | undefined;
  readonly state: OffloadState;
  /** Looks again when it is time to. */
  tick(): Promise<void>;
  /** What the underlay's device can do may be something else now. */
  linksChanged(): void;
  close(): void;
}

interface Device {
  readonly fd: number;
  readonly name: string;
  readonly mac: Mac;
}

/** Never throws for what a machine does not have: then there is no uplink, and `state` says why. */
export function openUplink(options: UplinkOptions): Uplink {
  const source = options.underlay.addresses.find(({ address }) => address.family === 4);
  if (!options.wanted) return none('engine.offload');
  if (source === undefined) return none('the underlay is IPv6');
  try {
    return watch(openDevice(options), source, options);
  } catch (error) {
    options.log.info({ err: error }, 'there will be no uplink for large packets');
    return none((error as Error).message);
  }
}

function none(why: string): Uplink {
  return {
    engine: undefined,
    state: { on: false, why },
    tick: async () => {},
    linksChanged: () => {},
    close: () => {},
  };
}

/** Gone with its descriptor, and its settings and route with it. */
function openDevice({ netlink, log }: UplinkOptions): Device {
  const { fd, name } = openTunQueue({ name: NAME, layer: 'tap', multiQueue: false });
  try {
    setVnetHeaderSize(fd, VNET_TUNNEL_HEADER_SIZE);
    setOffload(fd, OFFLOADS);
    const { index, address } = netlink.get(links.byName(name));
    netlink.run(links.change(index, { addressGeneration: 'none', arp: false }));
    netlink.run(links.change(index, { up: true }));
    // What comes from there has an address of this node itself, and no answer goes back there.
    const settings = { forwarding: 1, accept_local: 1, rp_filter: 0, send_redirects: 0 };
    for (const [key, value] of Object.entries(settings)) {
      setSysctl(`net/ipv4/conf/${name}/${key}`, String(value), log);
    }
    const destination = { address: addressToBytes(NOWHERE), length: 32 };
    netlink.run(routes.add({ destination, index, scope: RouteScope.link }));
    return { fd, name, mac: macFromBytes(address) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function watch(tap: Device, source: UnderlayAddress, options: UplinkOptions): Uplink {
  const { underlay, log } = options;
  const from = source.address.words[0];
  let state: OffloadState = { on: false };
  let next = 0;
  // Kept, because whoever asks the kernel waits until it has done with its routes: a third of a second when these are many.
  let device: { readonly name: string; readonly missing: string | undefined } | undefined;
  const look = async (): Promise<OffloadState> => {
    const current =
      underlay.addresses.find(({ address }) => addressEquals(address, source.address)) ?? source;
    if (device?.name !== current.interface) {
      device = { name: current.interface, missing: missingFeature(current.interface) };
    }
    if (device.missing !== undefined) return { on: false, why: device.missing };
    const to = NOWHERE.words[0];
    const packet = probePacket({ mac: tap.mac, from, to, port: options.port, token: randomInt(2 ** 32) });
    return (await comesBack(tap.fd, packet)) ? { on: true } : { on: false, why: refusal(tap.name) };
  };
  return {
    engine: { fd: tap.fd, mac: tap.mac, source: from },
    get state() {
      return state;
    },
    async tick() {
      if (performance.now() < next) return;
      next = performance.now() + PERIOD;
      const found = await look().catch((error: Error): OffloadState => ({ on: false, why: error.message }));
      if (found.on === state.on && found.why === state.why) return;
      state = found;
      log.info(
        { why: state.why },
        state.on ? 'large packets leave whole' : 'large packets are cut before they leave',
      );
      options.onChange(state.on);
    },
    linksChanged() {
      device = undefined;
    },
    close: () => void libc.close(tap.fd),
  };
}

/** What the underlay's device lacks, in words. */
function missingFeature(device: string): string | undefined {
  if (device === 'lo') return 'node.address is on lo: which devices carry the underlay is not known';
  if (activeFeatures(device).has(FEATURE)) return undefined;
  return `${device} does not cut inside of tunnels (ethtool: ${FEATURE})`;
}

/** Sends into the device, and takes out of it what the kernel has forwarded to there. */
async function comesBack(fd: number, packet: Uint8Array): Promise<boolean> {
  writeSync(fd, packet);
  const buffer = new Uint8Array(BUFFER);
  for (let look = 0; look < LOOKS; look++) {
    for (let length = read(fd, buffer); length > 0; length = read(fd, buffer)) {
      if (isProbe(buffer.subarray(0, length), packet)) return true;
    }
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
  return false;
}

/** 0: there is nothing. */
function read(fd: number, buffer: Uint8Array): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}

function refusal(name: string): string {
  const filter = readFileSync('/proc/sys/net/ipv4/conf/all/rp_filter', 'utf8').trim();
  return filter === '0'
    ? `what comes from ${name} is not forwarded whole: does a firewall forbid it (nft list ruleset, chain forward)?`
    : `what comes from ${name} is not forwarded: net.ipv4.conf.all.rp_filter is ${filter}, not 0`;
}
