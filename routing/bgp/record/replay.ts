/**
 * Runs a recorded session again: the same session is built, told the same at the same times, answered the same, and what
 * it does is compared, line by line, with what was recorded. Reads lines; opens nothing.
 */
import { createHash } from 'node:crypto';
import type { Message } from '../codec/message.ts';
import type { Speaker } from '../negotiate.ts';
import { type Input, Session, type SessionIo, type SessionSink } from '../session.ts';
import {
  asRecorded,
  type Beginning,
  CALLS,
  type Call,
  type CallName,
  formatLine,
  type Line,
  MAGIC,
  parseLine,
  VERSION,
} from './format.ts';

export interface Replayed {
  readonly peer: string;
  readonly at: string;
  readonly inputs: number;
  readonly calls: number;
  /** Of the session's own clock. */
  readonly seconds: number;
  /** Why the recording ended; null: its end is missing. */
  readonly end: string | null;
  /** The first line, from 1, where the session did something else. */
  readonly difference: Difference | null;
  /** The lines are those that were written. */
  readonly intact: boolean;
}

export interface Difference {
  readonly line: number;
  /** Null: nothing. */
  readonly recorded: string | null;
  readonly replayed: string | null;
}

class Deviation extends Error {
  readonly difference: Difference;
  constructor(difference: Difference) {
    super('the session did something else');
    this.difference = difference;
  }
}

/** What a call returns stands last in its line. */
const ANSWERS: readonly CallName[] = ['random', 'update', 'take', 'pending'];

/** @throws RecordingError for what is no recording of this version */
export async function replay(lines: AsyncIterable<string> | Iterable<string>): Promise<Replayed> {
  const tape = new Tape(lines);
  const [magic, version, beginning] = (await tape.next()) ?? [];
  if (magic !== MAGIC) throw new RecordingError('it does not begin as the recording of a BGP session does');
  if (version !== VERSION) {
    throw new RecordingError(
      `it is of version ${version}, and this is a weft that replays version ${VERSION}`,
    );
  }
  let difference: Difference | null = null;
  let player: Player;
  try {
    player = new Player(beginning as Beginning, tape);
    difference = await player.run();
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    // No session has ever written this.
    throw new RecordingError(`line ${tape.number} cannot be played: ${(error as Error).message}`);
  }
  const { peer, at } = beginning as Beginning;
  const { inputs, calls, seconds, end } = player;
  return { peer, at, inputs, calls, seconds, end, difference, intact: await tape.isIntact() };
}

export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/** The lines, one after the other, and their digest. */
class Tape {
  number = 0;
  text = '';
  readonly #lines: AsyncIterator<string> | Iterator<string>;
  readonly #digest = createHash('sha256');
  #claimed: string | undefined;

  constructor(lines: AsyncIterable<string> | Iterable<string>) {
    this.#lines = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : lines[Symbol.iterator]();
  }

  async next(): Promise<Line | undefined> {
    const text = await this.#read();
    if (text === undefined) return undefined;
    try {
      const line = parseLine(text);
      if (Array.isArray(line)) return line;
    } catch {
      // Said below.
    }
    throw new RecordingError(
      `line ${this.number} is no line of a recording: ${JSON.stringify(text.slice(0, 60))}`,
    );
  }

  async isIntact(): Promise<boolean> {
    while ((await this.#read()) !== undefined);
    return this.#claimed !== undefined && this.#claimed === this.#digest.digest('hex');
  }

  /** Undefined: no more but, it may be, the digest. */
  async #read(): Promise<string | undefined> {
    if (this.#claimed !== undefined) return undefined;
    const { value, done } = await this.#lines.next();
    if (done) return undefined;
    this.number++;
    this.text = value;
    const claim = /^\["sha256","([0-9a-f]{64})"\]$/.exec(value);
    if (claim === null) {
      this.#digest.update(`${value}\n`);
      return value;
    }
    this.#claimed = claim[1];
    // Nothing may follow.
    if (!(await this.#lines.next()).done) this.#claimed = '';
    return undefined;
  }
}

/** One input, and what followed from it. */
interface Turn {
  readonly now: number;
  readonly input: Input;
}

class Player {
  inputs = 0;
  calls = 0;
  end: string | null = null;
  readonly #speaker: { -readonly [K in keyof Speaker]: Speaker[K] };
  readonly #session: Session;
  readonly #tape: Tape;
  /** What was recorded behind the last input, as values and as it stands there. */
  #expected: { readonly line: Call; readonly text: string; readonly number: number }[] = [];
  #first: number | undefined;
  #last = 0;

  constructor({ speaker, settings, state }: Beginning, tape: Tape) {
    this.#speaker = { ...speaker };
    this.#tape = tape;
    this.#session = new Session(this.#speaker, settings, this.#io(), this.#sink(), state);
  }

  get seconds(): number {
    return (this.#last - (this.#first ?? this.#last)) / 1000;
  }

  /** @returns the first difference */
  async run(): Promise<Difference | null> {
    try {
      await this.#run();
      return null;
    } catch (error) {
      if (error instanceof Deviation) return error.difference;
      throw error;
    }
  }

  /** @throws Deviation */
  async #run(): Promise<void> {
    let turn: Turn | undefined;
    for (;;) {
      const line = await this.#tape.next();
      if (line !== undefined && isCall(line)) {
        this.#expected.push({ line, text: this.#tape.text, number: this.#tape.number });
        continue;
      }
      if (turn !== undefined) this.#play(turn);
      else if (this.#expected.length > 0) throw this.#deviation(null);
      turn = undefined;
      if (line === undefined) return;
      switch (line[0]) {
        case 'input':
          turn = { now: line[1] as number, input: line[2] as Input };
          break;
        case 'speaker':
          Object.assign(this.#speaker, line[1]);
          break;
        case 'end':
          this.#finish(line[1] as string);
          break;
        default:
          throw new RecordingError(`line ${this.#tape.number}: '${line[0]}' is not known`);
      }
    }
  }

  #play({ now, input }: Turn): void {
    this.inputs++;
    this.#first ??= now;
    this.#last = now;
    this.#session.handle(input, now);
    if (this.#expected.length > 0) throw this.#deviation(null);
  }

  #finish(why: string): void {
    this.end = why;
    const replayed = formatLine(['end', why, this.#session.snapshot()]);
    const { text: recorded, number: line } = this.#tape;
    if (replayed !== recorded) throw new Deviation({ line, recorded, replayed });
  }

  /** @returns what the world answered then */
  #call(name: CallName, ...args: unknown[]): unknown {
    const expected = this.#expected[0];
    const hasAnswer = ANSWERS.includes(name);
    const answer = hasAnswer ? expected?.line.at(-1) : undefined;
    const replayed = formatLine(hasAnswer ? [name, ...args, answer] : [name, ...args]);
    if (expected?.text !== replayed) throw this.#deviation(replayed);
    this.#expected.shift();
    this.calls++;
    return answer;
  }

  #deviation(replayed: string | null): Deviation {
    const expected = this.#expected[0];
    return new Deviation({
      line: expected?.number ?? this.#tape.number,
      recorded: expected?.text ?? null,
      replayed,
    });
  }

  #io(): SessionIo {
    return {
      connect: (connection) => void this.#call('connect', connection),
      write: (connection, bytes) => void this.#call('write', connection, bytes),
      close: (connection) => void this.#call('close', connection),
      wake: (at) => void this.#call('wake', at),
      random: () => this.#call('random') as number,
    };
  }

  #sink(): SessionSink {
    return {
      up: (agreement, ends) => void this.#call('up', agreement, ends),
      down: (why, retain) => void this.#call('down', why, retain ?? null),
      update: (received) =>
        (this.#call('update', asRecorded(received)) as ReturnType<SessionSink['update']> | null) ?? undefined,
      refresh: (family, subtype) => void this.#call('refresh', family, subtype),
      take: (maxBytes) => this.#call('take', maxBytes) as Message[],
      pending: () => this.#call('pending') as boolean,
    };
  }
}

const isCall = (line: Line): line is Call => (CALLS as readonly string[]).includes(line[0]);
