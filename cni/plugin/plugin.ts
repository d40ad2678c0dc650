/**
 * The plugin's work, done in the node service for the client that the runtime executes: each verb upon attachments. What is
 * asked is read in call.ts, what is answered written in result.ts; a pod's interface is the business of attachments.
 */
import { setImmediate } from 'node:timers/promises';
import { type Address, formatAddress, parseAddress } from '../../wire/address.ts';
import { formatPrefix, hostPrefix, type Prefix, parsePrefix, prefixContains } from '../../wire/prefix.ts';
import { AttachError, type Attachment, attachmentKey } from '../attachment.ts';
import type { Attachments } from '../attachments.ts';
import type { Log } from '../host.ts';
import { inspectInterface } from '../inspect.ts';
import type { PodRoute } from '../interface.ts';
import { hostAddress } from '../ipam/pool.ts';
import { enterable } from '../namespace.ts';
import { type Call, type Request, readRequest, readStdin } from './call.ts';
import { differences } from './check.ts';
import { checkMac } from './config.ts';
import { runDelegate } from './delegate.ts';
import { CniCode, CniError, errorAnswer } from './error.ts';
import { object, parsed } from './json.ts';
import { EMPTY, formatResult, mergeResults, parseResult, type Result } from './result.ts';
import { environment, type Verb, verbOf } from './verb.ts';
import { versionAnswer } from './version.ts';

export interface PluginOptions {
  readonly attachments: Pick<
    Attachments,
    'attach' | 'detach' | 'dismiss' | 'list' | 'find' | 'forwards' | 'missingPorts' | 'refusal'
  >;
  /** The node's pod ranges. */
  readonly cidrs: readonly Prefix[];
  /** MTU of new pods, bytes. */
  mtu(): number;
  /** What keeps pods from reaching those of other nodes. */
  impairment(): string | undefined;
  /** Carries out what runtimes wanted deleted while no daemon answered. */
  drainSpool(): Promise<void>;
  readonly log: Log;
}

/** What the client prints; it fails when `failed`. */
export interface Answer {
  readonly failed: boolean;
  /** Undefined: nothing. */
  readonly output?: object | undefined;
  /** It failed for now: asked again it may not. */
  readonly later?: boolean;
}

export class Plugin {
  readonly #options: PluginOptions;

  constructor(options: PluginOptions) {
    this.#options = options;
  }

  /** @param gone aborted when the caller no longer waits: what was added for it is taken back */
  async run(call: Call, gone: AbortSignal): Promise<Answer> {
    let cniVersion: unknown;
    try {
      const verb = verbOf(call.env);
      const raw = readStdin(call.stdin);
      cniVersion = raw.cniVersion ?? '0.1.0';
      if (verb === 'VERSION') return { failed: false, output: versionAnswer(cniVersion) };
      return { failed: false, output: await this.#serve(readRequest(call, raw), call, gone) };
    } catch (error) {
      const known = toCniError(error);
      const { CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_IFNAME: ifname } = call.env;
      this.#options.log.warn({ command, id, ifname, code: known.code, err: error }, 'a CNI request failed');
      const later = known.code === CniCode.tryAgainLater;
      return { failed: true, later, output: errorAnswer(known, cniVersion) };
    }
  }

  /** For a caller that was told already that it is done. @returns false: it has to be tried again */
  async carryOut(call: Call): Promise<boolean> {
    const { later, output } = await this.run(call, new AbortController().signal);
    return !later && (output as { code?: number } | undefined)?.code !== CniCode.failed;
  }

  async #serve(request: Request, call: Call, gone: AbortSignal): Promise<object | undefined> {
    const { verb, config } = request;
    const { attachments, log } = this.#options;
    const delegate = async (verb: Verb) =>
      config.ipam === undefined ? undefined : runDelegate(config.ipam, verb, call, log);
    switch (verb) {
      case 'ADD':
        await this.#options.drainSpool();
        if (config.ipam === undefined) return this.#add(request, call.token, gone);
        return this.#addDelegated(request, call, gone, delegate);
      case 'DEL':
        await attachments.dismiss(request);
        await delegate('DEL');
        return undefined;
      case 'CHECK':
        await delegate('CHECK');
        await this.#check(request);
        return undefined;
      case 'GC':
        await this.#collect(request, () => delegate('GC').catch(unlessUnknownVerb));
        return undefined;
      default:
        this.#status(request);
        await delegate('STATUS').catch(unlessUnknownVerb);
        return undefined;
    }
  }

  /** What the IPAM plugin has given is given back when it cannot be used. */
  async #addDelegated(
    request: Request,
    call: Call,
    gone: AbortSignal,
    delegate: (verb: Verb) => Promise<unknown>,
  ): Promise<object> {
    const { attachments, log } = this.#options;
    const known = attachments.find(request)?.attachment;
    if (known?.token !== undefined && known.token === call.token) {
      // Its answer was lost with a daemon, and with it what the plugin gave.
      await attachments.detach(request);
      await delegate('DEL');
    } else if (known) {
      // Asked for addresses again it would give others, or free those that the first ADD has when it is told to.
      throw new CniError(CniCode.attached, `${known.id} has an attachment ${known.ifname} already`);
    }
    try {
      const answer = await delegate('ADD').catch((error) => {
        throw request.config.ipam === 'dhcp' ? withoutEthernet(error) : error;
      });
      const given = parseResult(object(answer, 'the answer of the IPAM plugin'), request.version);
      return await this.#add(request, call.token, gone, given);
    } catch (error) {
      await delegate('DEL').catch((err) => log.error({ err }, 'the IPAM plugin could not take back'));
      throw error;
    }
  }

  /** @param given addresses, routes and DNS of an IPAM plugin, in place of ours */
  async #add(
    request: Request,
    token: string | undefined,
    gone: AbortSignal,
    given?: Result,
  ): Promise<object> {
    const { attachments } = this.#options;
    const { id, ifname, netns, args, config, version } = request;
    const mac = config.mac ?? (args.mac && checkMac(args.mac));
    const mtu = this.#mtu(config.mtu);
    const ips = given ? addressesOf(given) : config.ips.length > 0 ? config.ips : args.ips;
    const attachment = await attachments.attach({
      id,
      ifname,
      netns,
      network: config.name,
      ...(given ? { given: true, ...waysOf(given) } : { within: this.#ranges(request) }),
      ...(mtu !== undefined && { mtu }),
      ...(ips && { ips }),
      ...(mac && { mac }),
      ...(config.bandwidth && { bandwidth: config.bandwidth }),
      ...(config.portMappings.length > 0 && { portMappings: config.portMappings }),
      ...(token !== undefined && { token }),
    });
    // So that the end of a connection that has happened is known: it is read in one turn of the event loop, and told in the next.
    for (let turn = 0; turn < 2; turn++) await setImmediate();
    if (gone.aborted) {
      await attachments.detach(request);
      throw new CniError(
        CniCode.tryAgainLater,
        'the caller went away before it was answered; the attachment is undone',
      );
    }
    const made = { ...this.#result(attachment), dns: config.dns };
    const ours = given ? withGiven(made, given) : made;
    return formatResult(mergeResults(config.prevResult ?? EMPTY, ours), version);
  }

  #result({ ifname, netns, mac, mtu, ips }: Attachment): Result {
    return {
      interfaces: [{ name: ifname, mac, mtu, sandbox: netns }],
      ips: ips.map((ip) => {
        const range = this.#options.cidrs.find((prefix) => prefixContains(prefix, ip));
        const gateway = range && formatAddress(hostAddress(range));
        return { address: formatPrefix(hostPrefix(ip)), gateway, interface: 0 };
      }),
      routes: ips.map(({ family }) => ({ dst: family === 4 ? '0.0.0.0/0' : '::/0' })),
      dns: {},
    };
  }

  #mtu(wanted: number | undefined): number | undefined {
    const largest = this.#options.mtu();
    if (wanted === undefined || wanted <= largest) return wanted;
    throw new CniError(
      CniCode.invalidConfig,
      `mtu: ${wanted} is more than this node's ${largest}; leave it out`,
    );
  }

  /** The gateway that pods see is the node, whatever a configuration says. */
  #ranges({ config }: Request) {
    for (const { gateway } of config.ranges) {
      const text = gateway && formatAddress(gateway);
      if (text === undefined || this.#options.cidrs.some((one) => formatAddress(hostAddress(one)) === text))
        continue;
      throw new CniError(
        CniCode.unsupportedField,
        `gateway: ${text} is not supported; the gateway of a range is the node's own address, leave it out`,
      );
    }
    return config.ranges;
  }

  async #check(request: Request): Promise<void> {
    const { attachments } = this.#options;
    const { id, ifname, netns, config } = request;
    if (!config.prevResult)
      throw new CniError(CniCode.invalidConfig, 'prevResult: is missing; CHECK needs it');
    const live = attachments.find(request);
    if (!live) throw new CniError(CniCode.unknownContainer, `${id} has no attachment ${ifname} on this node`);
    const { attachment } = live;
    if (!enterable({ netns, namespace: attachment.namespace })) {
      throw environment('CNI_NETNS', `${netns} is not the namespace that ${id} was attached in`);
    }
    const missing = await attachments.missingPorts(request);
    const found = differences(
      attachment,
      config.prevResult,
      inspectInterface(netns, ifname),
      attachments.forwards(request),
      config.bandwidth,
    );
    found.push(...missing.map((port) => `${port} of the node does not lead to it`));
    if (found.length > 0) {
      throw new CniError(CniCode.changed, `${id}/${ifname} is not as it was made: ${found[0]}`, {
        details: found.join('; '),
      });
    }
  }

  /** @param delegate the same of the IPAM plugin, which is done whatever fails here */
  async #collect({ config }: Request, delegate: () => Promise<unknown>): Promise<void> {
    const { attachments, log } = this.#options;
    if (!config.validAttachments) return; // Nobody said what is valid.
    const valid = new Set(config.validAttachments.map(attachmentKey));
    const failures: string[] = [];
    for (const { attachment } of attachments.list()) {
      if (attachment.network !== config.name || valid.has(attachmentKey(attachment))) continue;
      const { id, ifname } = attachment;
      log.info({ id, ifname, network: config.name }, 'a pod that its runtime no longer has is detached');
      await attachments
        .dismiss(attachment)
        .catch((error: Error) => failures.push(`${id}/${ifname}: ${error.message}`));
    }
    await delegate().catch((error: Error) => failures.push(error.message));
    if (failures.length > 0) {
      throw new CniError(CniCode.failed, `${failures.length} leftovers could not be removed`, {
        details: failures.join('; '),
      });
    }
  }

  #status(request: Request): void {
    const impairment = this.#options.impairment();
    if (impairment !== undefined) throw new CniError(CniCode.limited, impairment);
    if (request.config.ipam !== undefined) return; // It is asked itself.
    const refusal = this.#options.attachments.refusal(this.#ranges(request));
    if (refusal !== undefined) throw new CniError(CniCode.unavailable, refusal);
  }
}

function addressesOf({ ips }: Result): Address[] {
  if (ips.length === 0) throw new CniError(CniCode.failed, 'the IPAM plugin gave no address');
  return ips.map(({ address }) =>
    parsed('the answer of the IPAM plugin', () => parseAddress(address.split('/')[0])),
  );
}

/** What leads out of the pod, of those of its addresses that have a gateway, and other routes. */
function waysOf({ ips, routes }: Result): { gateways: Address[]; routes: PodRoute[] } {
  const own = routes.map(({ dst, gw }) =>
    parsed('the answer of the IPAM plugin', () => ({
      destination: parsePrefix(dst),
      gateway: gw === undefined ? undefined : parseAddress(gw),
    })),
  );
  const gateways = ips.flatMap(({ gateway }) =>
    gateway === undefined ? [] : [parsed('the answer of the IPAM plugin', () => parseAddress(gateway))],
  );
  return { gateways, routes: own.filter(({ destination }) => destination.length > 0) };
}

/** Addresses and routes as their plugin writes them, its DNS where it has some; the interface and its default routes are ours. */
function withGiven(made: Result, { ips, routes, dns }: Result): Result {
  return {
    interfaces: made.interfaces,
    ips: ips.map((ip) => ({ ...ip, interface: 0 })),
    routes: [...routes, ...made.routes.filter(({ dst }) => !routes.some((one) => one.dst === dst))],
    dns: Object.keys(dns).length > 0 ? dns : made.dns,
  };
}

/** What the reference plugin's own words, that there is no such link, do not tell. */
function withoutEthernet(error: CniError): CniError {
  const why =
    "the reference plugin asks by Ethernet broadcast through the pod's interface, before that exists, and a TUN has no Ethernet; use host-local or static, or no 'ipam' to have Weft's own";
  return new CniError(error.code, `${error.message}; ${why}`, { cause: error });
}

/** An IPAM plugin of before 1.1.0 does not know GC and STATUS, which is as good as nothing to say. */
function unlessUnknownVerb(error: unknown): undefined {
  const code = error instanceof CniError ? error.code : undefined;
  if (code === CniCode.invalidEnvironment || code === CniCode.incompatibleVersion) return undefined;
  throw error;
}

const CODES: Readonly<Record<AttachError['code'], number>> = {
  invalid: CniCode.invalidEnvironment,
  namespace: CniCode.invalidEnvironment,
  exists: CniCode.attached,
  address: CniCode.address,
  port: CniCode.port,
  interface: CniCode.interfaceExists,
  stopping: CniCode.tryAgainLater,
};

/** Errors of a disk that does not take any more. */
const DISK = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'];

function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const { message } = error as Error;
  if (!(error instanceof AttachError)) {
    const isDisk = DISK.includes(String((error as { code?: unknown }).code));
    return new CniError(isDisk ? CniCode.io : CniCode.failed, message, { cause: error });
  }
  const where = error.code === 'namespace' ? 'CNI_NETNS: ' : '';
  return new CniError(CODES[error.code], `${where}${message}`, { cause: error });
}
