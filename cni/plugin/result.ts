/**
 * What ADD answers, in the form of every version: read from `prevResult`, written to stdout. Inside it has the form of
 * 1.1.0, which has a place for all that the others say.
 *
 *   0.1.0 0.2.0        ip4 and ip6, an address each with its gateway and routes; no interfaces
 *   0.3.0 0.3.1 0.4.0  interfaces, ips with a `version`, routes; dns always
 *   1.0.0              no `version`; dns only when there is some
 *   1.1.0              + interfaces.mtu, socketPath, pciID; routes.mtu, advmss, priority, table, scope
 */
import { CniCode, CniError } from './error.ts';
import { type Json, object, objects, text, texts } from './json.ts';
import { isAtLeast, type Version } from './version.ts';

export interface Interface {
  readonly name: string;
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
  /** Path of the namespace; absent on the host. */
  readonly sandbox?: string | undefined;
  readonly socketPath?: string | undefined;
  readonly pciID?: string | undefined;
}

export interface Ip {
  /** With prefix length. */
  readonly address: string;
  readonly gateway?: string | undefined;
  /** Index into the interfaces. */
  readonly interface?: number | undefined;
}

export interface Route {
  readonly dst: string;
  readonly gw?: string | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  readonly priority?: number | undefined;
  readonly table?: number | undefined;
  readonly scope?: number | undefined;
}

export interface Dns {
  readonly nameservers?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  readonly search?: readonly string[] | undefined;
  readonly options?: readonly string[] | undefined;
}

export interface Result {
  readonly interfaces: readonly Interface[];
  readonly ips: readonly Ip[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

export const EMPTY: Result = { interfaces: [], ips: [], routes: [], dns: {} };

/** Other plugins' result, then ours; DNS settings of ours only when nobody before had any. */
export function mergeResults(before: Result, ours: Result): Result {
  const offset = before.interfaces.length;
  const shifted = ours.ips.map((ip) =>
    ip.interface === undefined ? ip : { ...ip, interface: ip.interface + offset },
  );
  return {
    interfaces: [...before.interfaces, ...ours.interfaces],
    ips: [...before.ips, ...shifted],
    routes: [...before.routes, ...ours.routes],
    dns: isEmpty(before.dns) ? ours.dns : before.dns,
  };
}

export function formatResult(result: Result, version: Version): object {
  if (!isAtLeast(version, '0.3.0')) return formatOld(result, version);
  const modern = isAtLeast(version, '1.1.0');
  const versioned = !isAtLeast(version, '1.0.0');
  const dns = present(result.dns);
  return {
    cniVersion: version,
    ...some(
      'interfaces',
      result.interfaces.map((one) =>
        present(modern ? one : { name: one.name, mac: one.mac, sandbox: one.sandbox }),
      ),
    ),
    ...some(
      'ips',
      result.ips.map((ip) =>
        present({ version: versioned ? String(familyOf(ip.address)) : undefined, ...ip }),
      ),
    ),
    ...some(
      'routes',
      result.routes.map((route) => present(modern ? route : { dst: route.dst, gw: route.gw })),
    ),
    ...((versioned || Object.keys(dns).length > 0) && { dns }),
  };
}

/** The first address of each family, with the routes of that family. */
function formatOld({ ips, routes, dns }: Result, version: Version): object {
  const [ip4, ip6] = ([4, 6] as const).map((family) => {
    const ip = ips.find(({ address }) => familyOf(address) === family);
    if (!ip) return undefined;
    const own = routes
      .filter(({ dst }) => familyOf(dst) === family)
      .map(({ dst, gw }) => present({ dst, gw }));
    return present({ ip: ip.address, gateway: ip.gateway, routes: own.length > 0 ? own : undefined });
  });
  return present({ cniVersion: version, ip4, ip6, dns: present(dns) });
}

/** @throws CniError when it is no result of that version */
export function parseResult(raw: Json, version: Version): Result {
  if (!isAtLeast(version, '0.3.0')) return parseOld(raw);
  return {
    interfaces: objects(raw.interfaces, 'prevResult.interfaces').map((one, i) => ({
      ...one,
      name: needed(one.name, `prevResult.interfaces[${i}].name`),
      sandbox: text(one.sandbox, `prevResult.interfaces[${i}].sandbox`),
      mac: text(one.mac, `prevResult.interfaces[${i}].mac`),
    })),
    ips: objects(raw.ips, 'prevResult.ips').map(({ version: _, ...one }, i) => ({
      ...one,
      address: needed(one.address, `prevResult.ips[${i}].address`),
      gateway: text(one.gateway, `prevResult.ips[${i}].gateway`),
    })),
    routes: objects(raw.routes, 'prevResult.routes').map((one, i) => ({
      ...one,
      dst: needed(one.dst, `prevResult.routes[${i}].dst`),
      gw: text(one.gw, `prevResult.routes[${i}].gw`),
    })),
    dns: readDns(raw.dns, 'prevResult.dns'),
  };
}

function parseOld(raw: Json): Result {
  const parts = (['ip4', 'ip6'] as const).flatMap((key) => {
    if (!raw[key]) return [];
    const part = object(raw[key], `prevResult.${key}`);
    const ip = {
      address: needed(part.ip, `prevResult.${key}.ip`),
      gateway: text(part.gateway, `prevResult.${key}.gateway`),
    };
    const routes = objects(part.routes, `prevResult.${key}.routes`).map((one, i) => ({
      dst: needed(one.dst, `prevResult.${key}.routes[${i}].dst`),
      gw: text(one.gw, `prevResult.${key}.routes[${i}].gw`),
    }));
    return [{ ip, routes }];
  });
  return {
    interfaces: [],
    ips: parts.map(({ ip }) => ip),
    routes: parts.flatMap(({ routes }) => routes),
    dns: readDns(raw.dns, 'prevResult.dns'),
  };
}

export function readDns(value: unknown, key: string): Dns {
  const { nameservers, domain, search, options } = object(value, key);
  const several = (raw: unknown, name: string) => {
    const found = texts(raw, `${key}.${name}`);
    return found.length > 0 ? found : undefined;
  };
  return present({
    nameservers: several(nameservers, 'nameservers'),
    domain: text(domain, `${key}.domain`),
    search: several(search, 'search'),
    options: several(options, 'options'),
  });
}

const familyOf = (prefix: string): 4 | 6 => (prefix.includes(':') ? 6 : 4);
const isEmpty = (dns: Dns) => Object.keys(present(dns)).length === 0;
const some = (key: string, values: readonly object[]) => values.length > 0 && { [key]: values };

/** Without keys that say nothing. */
function present<T extends object>(from: T): T {
  const entries = Object.entries(from).filter(
    ([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(entries) as T;
}

function needed(value: unknown, key: string): string {
  const found = text(value, key);
  if (found !== undefined) return found;
  throw new CniError(CniCode.invalidConfig, `${key}: is missing`);
}
