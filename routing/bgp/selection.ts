/**
 * When the first routes are complete: every configured peer has told all it has (End-of-RIB, RFC 4724 section 4.1), or
 * has had its time. A function of what it is told, with one timer of its own.
 */
import type { Family } from './codec/family.ts';

export class Selection {
  /** By peer: families that are still to come; absent from the start: nobody waits for it. */
  readonly #awaited = new Map<string, ReadonlySet<Family> | undefined>();
  readonly #onComplete: (why: 'all' | 'time') => void;
  readonly #timer: NodeJS.Timeout;
  #over = false;

  /** @param peers that are to be waited for @param seconds at most */
  constructor(peers: readonly string[], seconds: number, onComplete: (why: 'all' | 'time') => void) {
    for (const peer of peers) this.#awaited.set(peer, undefined);
    this.#onComplete = onComplete;
    this.#timer = setTimeout(() => this.#complete('time'), seconds * 1000);
    this.#timer.unref();
    // Not from inside of what constructs it.
    setImmediate(() => this.#check());
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** @param families whose End-of-RIB it will send; empty: it does not say when it is ready, or waits for us itself */
  up(peer: string, families: readonly Family[]): void {
    if (!this.#awaited.has(peer)) return;
    if (families.length === 0) this.#awaited.delete(peer);
    else this.#awaited.set(peer, new Set(families));
    this.#check();
  }

  endOfRib(peer: string, family: Family): void {
    const families = this.#awaited.get(peer);
    if (families === undefined) return;
    const left = [...families].filter((one) => one !== family);
    if (left.length === 0) this.#awaited.delete(peer);
    else this.#awaited.set(peer, new Set(left));
    this.#check();
  }

  /** It will not come: shut down, or removed. */
  gone(peer: string): void {
    if (this.#awaited.delete(peer)) this.#check();
  }

  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #check(): void {
    if (this.#awaited.size === 0) this.#complete('all');
  }

  #complete(why: 'all' | 'time'): void {
    if (this.#over) return;
    this.stop();
    this.#onComplete(why);
  }
}
