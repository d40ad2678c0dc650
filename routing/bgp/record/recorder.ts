/**
 * Writes down what a running session is told, what it does, and what it is answered: all that it takes to run it again
 * (replay.ts). What nobody fetches is bounded: a recording that is not read fast enough ends, the session goes on.
 */
import { createHash } from 'node:crypto';
import type { Speaker } from '../negotiate.ts';
import type { Input, Session, SessionIo, SessionSink } from '../session.ts';
import { asRecorded, type Call, formatLine, type Line, MAGIC, VERSION } from './format.ts';

/** When a recording ends by itself. */
export interface RecordBounds {
  readonly seconds: number;
  /** Messages in both directions. */
  readonly messages?: number;
  readonly bytes: number;
}

/** Bytes that may wait to be fetched. */
const MOST_WAITING = 8 << 20;

export class Recorder {
  readonly #session: Session;
  readonly #speaker: Speaker;
  readonly #bounds: RecordBounds;
  readonly #lastMessage: number;
  readonly #digest = createHash('sha256');
  #known: Speaker;
  readonly #deadline: number;
  #lines: string[] = [];
  #waiting = 0;
  #written = 0;
  #ended = false;

  /** @param now as the session is told it */
  constructor(peer: string, session: Session, speaker: Speaker, bounds: RecordBounds, now: number) {
    this.#session = session;
    this.#speaker = speaker;
    this.#known = { ...speaker };
    this.#bounds = bounds;
    this.#deadline = now + 1000 * bounds.seconds;
    this.#lastMessage = messagesOf(session) + (bounds.messages ?? Number.POSITIVE_INFINITY);
    const { import: _, export: __, ...settings } = session.settings;
    const hidden = settings.password === undefined ? settings : { ...settings, password: 'hidden' };
    const at = new Date().toISOString();
    const beginning = { peer, at, speaker: this.#known, settings: hidden, state: session.snapshot() };
    this.#write([MAGIC, VERSION, beginning]);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What comes next to the session. */
  input(input: Input, now: number): void {
    this.#endAtBounds(now);
    if (this.#ended) return;
    if (!sameSpeaker(this.#known, this.#speaker)) {
      this.#known = { ...this.#speaker };
      this.#write(['speaker', this.#known]);
    }
    this.#write(['input', now, input]);
  }

  call(call: Call): void {
    if (!this.#ended) this.#write(call);
  }

  /** Between two inputs. */
  end(why: string): void {
    if (this.#ended) return;
    this.#write(['end', why, this.#session.snapshot()]);
    this.#ended = true;
    this.#lines.push(`${formatLine(['sha256', this.#digest.digest('hex')])}\n`);
  }

  /** What was written since it was asked last; undefined: that was all. */
  fetch(now: number): Uint8Array | undefined {
    this.#endAtBounds(now);
    if (this.#lines.length === 0) return this.#ended ? undefined : new Uint8Array(0);
    const text = this.#lines.join('');
    this.#lines = [];
    this.#waiting = 0;
    return new TextEncoder().encode(text);
  }

  #endAtBounds(now: number): void {
    const { seconds, messages, bytes } = this.#bounds;
    if (this.#waiting > MOST_WAITING) this.end('it was not read fast enough');
    else if (this.#written > bytes) this.end(`it has more than ${bytes} bytes`);
    else if (now >= this.#deadline) this.end(`${seconds} s are over`);
    else if (messagesOf(this.#session) >= this.#lastMessage) this.end(`${messages} messages are there`);
  }

  #write(line: Line): void {
    const text = `${formatLine(line)}\n`;
    this.#digest.update(text);
    this.#lines.push(text);
    this.#waiting += text.length;
    this.#written += text.length;
  }
}

/** What a session is given in the place of its world, so that who records can listen. */
export const tapped = (
  io: SessionIo,
  sink: SessionSink,
  recorder: () => Recorder | undefined,
): { readonly io: SessionIo; readonly sink: SessionSink } => {
  const noted = <Value>(value: Value, call: (value: Value) => Call): Value => {
    recorder()?.call(call(value));
    return value;
  };
  return {
    io: {
      connect: (connection) => {
        recorder()?.call(['connect', connection]);
        io.connect(connection);
      },
      write: (connection, bytes) => {
        recorder()?.call(['write', connection, bytes]);
        io.write(connection, bytes);
      },
      close: (connection) => {
        recorder()?.call(['close', connection]);
        io.close(connection);
      },
      wake: (at) => {
        recorder()?.call(['wake', at]);
        io.wake(at);
      },
      random: () => noted(io.random(), (value) => ['random', value]),
    },
    sink: {
      up: (agreement, ends) => {
        recorder()?.call(['up', agreement, ends]);
        sink.up(agreement, ends);
      },
      down: (why, retain) => {
        recorder()?.call(['down', why, retain ?? null]);
        sink.down(why, retain);
      },
      update: (received) => {
        // Before, since what is known of attributes may be forgotten with this.
        const recorded = recorder() && asRecorded(received);
        const wrong = sink.update(received);
        if (recorded) recorder()?.call(['update', recorded, wrong ?? null]);
        return wrong;
      },
      refresh: (family, subtype) => {
        recorder()?.call(['refresh', family, subtype]);
        sink.refresh(family, subtype);
      },
      take: (maxBytes) => noted(sink.take(maxBytes), (messages) => ['take', maxBytes, messages]),
      pending: () => noted(sink.pending(), (isThere) => ['pending', isThere]),
    },
  };
};

const messagesOf = ({ counters: { received, sent } }: Session): number =>
  [received, sent].flatMap((counts) => Object.values(counts)).reduce((sum, count) => sum + count, 0);

const sameSpeaker = (a: Speaker, b: Speaker): boolean =>
  a.asn === b.asn &&
  a.routerId === b.routerId &&
  a.restarting === b.restarting &&
  a.gracefulRestart === b.gracefulRestart;
