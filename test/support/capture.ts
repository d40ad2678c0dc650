/** Captures what crosses an interface while something is done, with tcpdump, for tshark to read. */
import { once } from 'node:events';
import { join } from 'node:path';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { type Dissection, readCapture } from './tshark.ts';

let captures = 0;

export interface CaptureOptions {
  readonly interface: string;
  /** As tcpdump reads it; default everything. */
  readonly filter?: string;
  /** Only what leaves by the interface ('out') or enters by it, default both. */
  readonly direction?: 'in' | 'out';
  /** Bytes kept of each frame, default 2048: more would leave the ring few places. */
  readonly snapLength?: number;
}

export interface Capture {
  /** Path of the file, when the capture has ended. */
  readonly file: string;
  read<Field extends string>(fields: readonly Field[], extra?: readonly string[]): Dissection<Field>[];
}

/** Resolves with what crossed the interface from before `action` began until after it ended. */
export async function capture(
  run: Run,
  namespace: Namespace,
  options: CaptureOptions,
  action: () => unknown,
): Promise<Capture> {
  const file = join(run.folder, `capture${captures++}.pcap`);
  const { filter = '', snapLength = 2048 } = options;
  // Unbuffered, and no change of user, so that the file is whole and in a folder that is root's.
  const args = ['-i', options.interface, '-s', String(snapLength), '-U', '-Z', 'root', '-w', file];
  if (options.direction) args.push('-Q', options.direction);
  args.push('--immediate-mode', '-B', '16384', ...filter.split(' ').filter(Boolean));
  const tcpdump = namespace.start('tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const listening = new Promise<void>((resolve, reject) => {
    tcpdump.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('listening on')) resolve();
    });
    tcpdump.once('exit', () => reject(new Error(`tcpdump ended: ${said}`)));
  });
  try {
    await listening;
    await action();
    // What was sent last is still on its way through a socket buffer.
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    if (tcpdump.exitCode === null) {
      const ended = once(tcpdump, 'exit');
      tcpdump.kill('SIGINT');
      await ended;
    }
  }
  const lost = /(\d+) packets? dropped by kernel/.exec(said);
  if (lost && lost[1] !== '0') throw new Error(`tcpdump lost ${lost[1]} packets`);
  return { file, read: (fields, extra) => readCapture(file, fields, extra) };
}
