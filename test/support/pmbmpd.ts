/** pmacct's monitoring station, as an independent reader of what a speaker tells it (RFC 7854). */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';

/** A line of its log; of a route also what is of BGP. */
export interface BmpEvent {
  readonly event_type: 'log';
  readonly bmp_msg_type: 'init' | 'peer_up' | 'peer_down' | 'route_monitor' | 'stats' | 'term';
  readonly bmp_init_info_sysname?: string;
  readonly bmp_init_info_sysdescr?: string;
  readonly peer_ip?: string;
  readonly peer_asn?: number;
  readonly bgp_id?: string;
  readonly reason_type?: number;
  readonly is_post?: number;
  readonly log_type?: 'update' | 'withdraw' | 'delete';
  readonly ip_prefix?: string;
  readonly as_path?: string;
  readonly local_pref?: number;
  readonly bgp_nexthop?: string;
  readonly counter_type?: number;
  readonly value?: number;
  readonly [field: string]: unknown;
}

export class Pmbmpd {
  readonly #namespace: Namespace;
  readonly #address: string;
  readonly port: number;
  readonly #folder: string;
  #starts = 0;
  #process: ChildProcess | undefined;

  constructor(run: Run, namespace: Namespace, address: string, port: number) {
    this.#namespace = namespace;
    this.#address = address;
    this.port = port;
    this.#folder = run.folderOf(namespace);
  }

  get #log(): string {
    return join(this.#folder, `bmp${this.#starts}.json`);
  }

  /** With a log of its own: what it heard before is nothing to it. */
  start(): void {
    this.#starts++;
    const file = join(this.#folder, 'pmbmpd.conf');
    const lines = [
      `bmp_daemon_ip: ${this.#address}`,
      `bmp_daemon_port: ${this.port}`,
      `bmp_daemon_msglog_file: ${this.#log}`,
      'bmp_daemon_msglog_output: json',
      `logfile: ${join(this.#folder, 'pmbmpd.log')}`,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    this.#process = this.#namespace.start('pmbmpd', ['-f', file]);
  }

  /** What it has understood since it was started, in order. */
  events(): BmpEvent[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as BmpEvent);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}
