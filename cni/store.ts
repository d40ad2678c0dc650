/**
 * What must survive the daemon, in `<state>/attachments.journal`: the attachments, which addresses rest after them, and
 * where the search for the next one goes on. What is in the file and what is in memory are the same whenever nobody waits
 * for a write. Reads back what it can make sense of and says what it cannot.
 *
 *   ID/IFNAME          an attachment
 *   /rest/ADDRESS      { until, bootId }   no id begins with '/'
 *   /next/PREFIX       { offset }
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Address, formatAddress, parseAddress } from '../wire/address.ts';
import { type Attachment, type AttachmentName, attachmentKey } from './attachment.ts';
import type { Log } from './host.ts';
import { type Change, Journal } from './journal.ts';
import { lockFolder } from './lock.ts';
import { PROTOCOLS } from './port-mappings.ts';

const Limit = z.object({ rate: z.number(), burst: z.number() }).optional();

const Mapping = z.object({
  protocol: z.enum(PROTOCOLS),
  hostPort: z.number(),
  containerPort: z.number(),
  hostIp: z.string().transform(parseAddress).optional(),
});

const Stored = z.object({
  id: z.string(),
  ifname: z.string(),
  netns: z.string(),
  namespace: z.object({ dev: z.number(), inode: z.number() }),
  bootId: z.string(),
  ips: z.array(z.string().transform(parseAddress)),
  gateways: z.array(z.string().transform(parseAddress)).optional(),
  mtu: z.number(),
  mac: z.string(),
  bandwidth: z.object({ ingress: Limit, egress: Limit }).optional(),
  portMappings: z.array(Mapping).optional(),
  phase: z.enum(['creating', 'ready', 'removing']),
  network: z.string().optional(),
  token: z.string().optional(),
});

const REST = '/rest/';
const NEXT = '/next/';

/** Until when an address rests: milliseconds since that boot (sinceBoot). */
export interface StoredRest {
  readonly ip: Address;
  readonly until: number;
  readonly bootId: string;
}

const Rest = z.object({ until: z.number(), bootId: z.string() });
const Next = z.object({ offset: z.number() });

export class AttachmentStore {
  readonly #attachments = new Map<string, Attachment>();
  readonly #journal: Journal;
  readonly #unlock: () => void;

  /** Takes the folder for this process, making it if need be, and reads it. Throws when another process has it. */
  constructor(folder: string, log: Log) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#unlock = lockFolder(folder);
    try {
      this.#journal = new Journal(join(folder, 'attachments.journal'), log);
    } catch (error) {
      this.#unlock();
      throw error;
    }
    for (const [key, value] of this.#journal.values) {
      if (key.startsWith('/')) continue;
      try {
        this.#attachments.set(key, Stored.parse(value));
      } catch (error) {
        log.error({ key, value, err: error }, 'an attachment on disk does not make sense and is left out');
      }
    }
  }

  /** In the order in which they were made. */
  all(): Attachment[] {
    return [...this.#attachments.values()];
  }

  get(name: AttachmentName): Attachment | undefined {
    return this.#attachments.get(attachmentKey(name));
  }

  /** Addresses that rest, in the order in which they began to; of former boots as well. */
  rests(): StoredRest[] {
    return this.#entries(REST).flatMap(([ip, value]) => {
      const { data } = Rest.safeParse(value);
      return data ? [{ ip: parseAddress(ip), ...data }] : [];
    });
  }

  /** Offset in a range from which the next address is to be looked for; undefined where none was ever given. */
  next(range: string): number | undefined {
    return Next.safeParse(this.#journal.values.get(`${NEXT}${range}`)).data?.offset;
  }

  /**
   * Resolves once it is on disk, in the phase 'creating': no address is used before. Later phases are written down for the next
   * daemon and need not outlive the machine, whose pods go with it. @param next what `next` then says, by range
   */
  async put(attachment: Attachment, next: ReadonlyMap<string, number> = new Map()): Promise<void> {
    const key = attachmentKey(attachment);
    const positions = [...next].map(([range, offset]) => ({ key: `${NEXT}${range}`, value: { offset } }));
    const rests = attachment.ips
      .map((ip) => `${REST}${formatAddress(ip)}`)
      .filter((one) => this.#journal.values.has(one));
    const changes = [
      { key, value: written(attachment) },
      ...positions,
      ...rests.map((one) => ({ key: one })),
    ];
    if (attachment.phase === 'creating') await this.#journal.write(...changes);
    else await this.#journal.note(...changes);
    this.#attachments.set(key, attachment);
  }

  /** Resolves once no daemon will find it any more, and its addresses rest; nothing happens when it was not there. */
  async remove(name: AttachmentName, rests: readonly StoredRest[] = []): Promise<void> {
    const key = attachmentKey(name);
    if (!this.#journal.values.has(key)) return;
    await this.#journal.note({ key }, ...rests.map(restChange));
    this.#attachments.delete(key);
  }

  /** Forgets rests that are over, and those of former boots. */
  async endRests(now: number, bootId: string): Promise<void> {
    const over = this.rests().filter((rest) => rest.until <= now || rest.bootId !== bootId);
    if (over.length === 0) return;
    await this.#journal.note(...over.map(({ ip }) => ({ key: `${REST}${formatAddress(ip)}` })));
  }

  /** Waits for what is being written and lets the folder go. */
  async close(): Promise<void> {
    await this.#journal.close();
    this.#unlock();
  }

  #entries(prefix: string): [string, unknown][] {
    return [...this.#journal.values]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]);
  }
}

function restChange({ ip, until, bootId }: StoredRest): Change {
  return { key: `${REST}${formatAddress(ip)}`, value: { until, bootId } };
}

function written(attachment: Attachment): object {
  const { ips, gateways, portMappings } = attachment;
  return {
    ...attachment,
    ips: ips.map(formatAddress),
    ...(gateways && { gateways: gateways.map(formatAddress) }),
    ...(portMappings && {
      portMappings: portMappings.map(({ hostIp, ...one }) => ({
        ...one,
        ...(hostIp && { hostIp: formatAddress(hostIp) }),
      })),
    }),
  };
}
