/**
 * The plugin's work, done in the node service for the client that the runtime executes: each verb upon attachments. What is
 * asked is read in call.ts, what is answered written in result.ts; a pod's interface is the business of attachments.
 */
import { setImmediate } from 'node:timers/promises';
import { formatAddress } from '../../wire/address.ts';
import { formatPrefix, hostPrefix, type Prefix, prefixContains } from '../../wire/prefix.ts';
import { AttachError, type Attachment, attachmentKey } from '../attachment.ts';
import type { Attachments } from '../attachments.ts';
import type { Log } from '../host.ts';
import { inspectInterface } from '../inspect.ts';
import { hostAddress } from '../ipam/pool.ts';
import { enterable } from '../namespace.ts';
import { type Call, type Request, readRequest, readStdin } from './call.ts';
import { differences } from './check.ts';
import { checkMac } from './config.ts';
import { CniCode, CniError, errorAnswer } from './error.ts';
import { EMPTY, formatResult, mergeResults, type Result } from './result.ts';
import { environment, verbOf } from './verb.ts';
import { versionAnswer } from './version.ts';

export interface PluginOptions {
  readonly attachments: Pick<Attachments, 'attach' | 'detach' | 'list' | 'find' | 'forwards' | 'refusal'>;
  /** The node's pod ranges. */
  readonly cidrs: readonly Prefix[];
  /** MTU of new pods, bytes. */
  mtu(): number;
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
      return { failed: false, output: await this.#serve(readRequest(call, raw), call.token, gone) };
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

  async #serve(request: Request, token: string | undefined, gone: AbortSignal): Promise<object | undefined> {
    const { verb, config } = request;
    if (config.ipam !== undefined && verb !== 'DEL') {
      throw new CniError(
        CniCode.unsupportedField,
        `ipam.type: ${JSON.stringify(config.ipam)} is not supported; leave 'ipam' out to have addresses from Weft`,
      );
    }
    switch (verb) {
      case 'ADD':
        return this.#add(request, token, gone);
      case 'DEL':
        await this.#options.attachments.detach(request);
        return undefined;
      case 'CHECK':
        this.#check(request);
        return undefined;
      case 'GC':
        await this.#collect(request);
        return undefined;
      default:
        this.#status(request);
        return undefined;
    }
  }

  async #add(request: Request, token: string | undefined, gone: AbortSignal): Promise<object> {
    const { attachments, drainSpool } = this.#options;
    const { id, ifname, netns, args, config, version } = request;
    const mac = config.mac ?? (args.mac && checkMac(args.mac));
    const mtu = this.#mtu(config.mtu);
    const ips = config.ips.length > 0 ? config.ips : args.ips;
    await drainSpool();
    const attachment = await attachments.attach({
      id,
      ifname,
      netns,
      network: config.name,
      within: this.#ranges(request),
      ...(mtu !== undefined && { mtu }),
      ...(ips && { ips }),
      ...(mac && { mac }),
      ...(token !== undefined && { token }),
    });
    await setImmediate(); // So that the end of a connection that has happened is known.
    if (gone.aborted) {
      await attachments.detach(request);
      throw new CniError(
        CniCode.tryAgainLater,
        'the caller went away before it was answered; the attachment is undone',
      );
    }
    const ours = { ...this.#result(attachment), dns: config.dns };
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

  #check(request: Request): void {
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
    const found = differences(
      attachment,
      config.prevResult,
      inspectInterface(netns, ifname),
      attachments.forwards(request),
    );
    if (found.length > 0) {
      throw new CniError(CniCode.changed, `${id}/${ifname} is not as it was made: ${found[0]}`, {
        details: found.join('; '),
      });
    }
  }

  async #collect({ config }: Request): Promise<void> {
    const { attachments, log } = this.#options;
    if (!config.validAttachments) return; // Nobody said what is valid.
    const valid = new Set(config.validAttachments.map(attachmentKey));
    const failures: string[] = [];
    for (const { attachment } of attachments.list()) {
      if (attachment.network !== config.name || valid.has(attachmentKey(attachment))) continue;
      const { id, ifname } = attachment;
      log.info({ id, ifname, network: config.name }, 'a pod that its runtime no longer has is detached');
      await attachments
        .detach(attachment)
        .catch((error: Error) => failures.push(`${id}/${ifname}: ${error.message}`));
    }
    if (failures.length > 0) {
      throw new CniError(CniCode.failed, `${failures.length} attachments could not be removed`, {
        details: failures.join('; '),
      });
    }
  }

  #status(request: Request): void {
    const refusal = this.#options.attachments.refusal(this.#ranges(request));
    if (refusal !== undefined) throw new CniError(CniCode.unavailable, refusal);
  }
}

const CODES: Readonly<Record<AttachError['code'], number>> = {
  invalid: CniCode.invalidEnvironment,
  namespace: CniCode.invalidEnvironment,
  exists: CniCode.attached,
  address: CniCode.address,
  interface: CniCode.interfaceExists,
  stopping: CniCode.tryAgainLater,
};

function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const { message } = error as Error;
  if (!(error instanceof AttachError)) return new CniError(CniCode.failed, message, { cause: error });
  const where = error.code === 'namespace' ? 'CNI_NETNS: ' : '';
  return new CniError(CODES[error.code], `${where}${message}`, { cause: error });
}
