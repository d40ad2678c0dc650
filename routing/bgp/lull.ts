/** Told of what happens, calls when much has, and then nothing for a while: the time to tidy up. */
export class Lull {
  readonly #much: number;
  readonly #rest: number;
  readonly #onLull: () => void;
  #count = 0;
  /** Milliseconds of performance.now(). */
  #lastAt = 0;
  #isWaiting = false;

  /** @param rest milliseconds in which nothing happens */
  constructor(much: number, rest: number, onLull: () => void) {
    this.#much = much;
    this.#rest = rest;
    this.#onLull = onLull;
  }

  happened(count: number): void {
    this.#count += count;
    this.#lastAt = performance.now();
    if (this.#count >= this.#much && !this.#isWaiting) this.#wait(this.#rest);
  }

  #wait(milliseconds: number): void {
    this.#isWaiting = true;
    setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    const left = this.#rest - (performance.now() - this.#lastAt);
    if (left > 0) {
      this.#wait(left);
      return;
    }
    this.#isWaiting = false;
    this.#count = 0;
    this.#onLull();
  }
}
