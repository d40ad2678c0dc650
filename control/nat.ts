/**
 * Masquerading of what pods send to outside the fabric: one nftables table of Weft's own in the node's namespace, made,
 * replaced and removed in one transaction each. Never reads or touches a table of anyone else.
 */
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import { WeftError } from './errors.ts';

const run = promisify(execFile);

/** Routes that change together are one transaction, milliseconds. */
const DEBOUNCE = 100;
const RETRY = 5000;

export interface NatRules {
  /** The node's pod ranges: what comes from there is masqueraded … */
  readonly pods: readonly Prefix[];
  /** … unless it goes to one of these. */
  readonly fabric: readonly Prefix[];
}

export interface NatOptions {
  /** The host port's name, e.g. weft0; the table's name is derived from it. */
  readonly hostInterface: string;
  /** Where the file for nft is written for as long as it is read (nft cannot read what Node gives it as stdin). */
  readonly folder: string;
  /** Default 'nft', in PATH or where administrators' programs are. */
  readonly program?: string;
  /** Called when a later transaction failed; it is tried again. */
  onError(error: unknown): void;
}

/** Name of the table of the node whose host port has this name: two nodes in one namespace do not meet. */
export function natTable(hostInterface: string): string {
  return `weft_nat_${hostInterface.replaceAll(/[^A-Za-z0-9_]/g, '_')}`;
}

/** A transaction that leaves the table as the rules say, or leaves none. */
export function natScript(hostInterface: string, rules: NatRules | undefined): string {
  const table = `table inet ${natTable(hostInterface)}`;
  // Declared before it is deleted, because deleting a table that is not there is an error.
  const remove = `${table}\ndelete ${table}\n`;
  if (!rules) return remove;
  return `${remove}${table} {
${set('pods4', 4, rules.pods)}${set('pods6', 6, rules.pods)}${set('fabric4', 4, rules.fabric)}${set('fabric6', 6, rules.fabric)}
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @pods4 ip daddr != @fabric4 oifname != "${hostInterface}" masquerade
    ip6 saddr @pods6 ip6 daddr != @fabric6 oifname != "${hostInterface}" masquerade
  }
}
`;
}

function set(name: string, family: 4 | 6, prefixes: readonly Prefix[]): string {
  const elements = prefixes.filter(({ address }) => address.family === family).map(formatPrefix);
  const list = elements.length > 0 ? `elements = { ${elements.join(', ')} }` : '';
  return `  set ${name} { type ipv${family}_addr; flags interval; auto-merge; ${list} }\n`;
}

export class Nat {
  readonly #options: NatOptions;
  /** What the kernel has, as far as known. */
  #applied: string | undefined;
  #wanted: (() => NatRules | undefined) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: NatOptions) {
    this.#options = options;
  }

  /** Makes the kernel's table as the rules say, or removes it for none. Throws when nft is missing or refuses. */
  apply(rules: NatRules | undefined): Promise<void> {
    const script = natScript(this.#options.hostInterface, rules);
    const done = this.#running.then(() => this.#transact(script));
    this.#running = done.catch(() => {});
    return done;
  }

  /** Soon after, and once for many calls: applies what `rules` then returns. */
  schedule(rules: () => NatRules | undefined, delay = DEBOUNCE): void {
    this.#wanted = rules;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const wanted = this.#wanted;
      if (!wanted) return;
      this.apply(wanted()).catch((error) => {
        this.#options.onError(error);
        if (this.#wanted) this.schedule(this.#wanted, RETRY);
      });
    }, delay);
  }

  /** Waits for the transaction under way; nothing scheduled happens any more. The table stays. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#wanted = undefined;
    await this.#running;
  }

  async #transact(script: string): Promise<void> {
    if (script === this.#applied) return;
    const file = join(this.#options.folder, `nat-${process.pid}.nft`);
    this.#applied = undefined;
    writeFileSync(file, script, { mode: 0o600 });
    try {
      const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };
      await run(this.#options.program ?? 'nft', ['-f', file], { env });
    } catch (error) {
      throw nftError(error);
    } finally {
      rmSync(file, { force: true });
    }
    this.#applied = script;
  }
}

function nftError(error: unknown): Error {
  const { code, stderr } = error as { code?: unknown; stderr?: string };
  if (code === 'ENOENT') {
    return new WeftError(
      'unsupported',
      "host.natOutgoing needs the program nft: install the Debian package 'nftables', or set host.natOutgoing: false",
      { cause: error },
    );
  }
  const reason = stderr?.trim().split('\n')[0] || String(error);
  return new WeftError('failed', `host.natOutgoing: nft refused the table of Weft: ${reason}`, {
    cause: error,
  });
}
