/**
 * The attachments that must survive the daemon, in `<state>/attachments.journal`. What is in the file and what is in
 * memory are the same whenever nobody waits for a write. Reads back what it can make sense of and says what it cannot.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { formatAddress, parseAddress } from '../wire/address.ts';
import { type Attachment, type AttachmentName, attachmentKey } from './attachment.ts';
import type { Log } from './host.ts';
import { Journal } from './journal.ts';
import { lockFolder } from './lock.ts';
import { PROTOCOLS } from './port-mappings.ts';

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
  portMappings: z.array(Mapping).optional(),
  phase: z.enum(['creating', 'ready', 'removing']),
  network: z.string().optional(),
  token: z.string().optional(),
});

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

  /** Resolves once it is on disk. */
  async put(attachment: Attachment): Promise<void> {
    const key = attachmentKey(attachment);
    await this.#journal.put(key, written(attachment));
    this.#attachments.set(key, attachment);
  }

  /** Resolves once it is gone from the disk; nothing happens when it was not there. */
  async remove(name: AttachmentName): Promise<void> {
    const key = attachmentKey(name);
    if (!this.#journal.values.has(key)) return;
    await this.#journal.remove(key);
    this.#attachments.delete(key);
  }

  /** Waits for what is being written and lets the folder go. */
  async close(): Promise<void> {
    await this.#journal.close();
    this.#unlock();
  }
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
