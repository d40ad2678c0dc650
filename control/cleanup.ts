/** What has to be undone, last thing first: when a start fails half-way, and when a node is stopped. */
import type { Log } from '../cni/host.ts';

export class Cleanup {
  readonly #steps: (() => unknown)[] = [];
  readonly #log: Log;
  #done: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  add(step: () => unknown): void {
    this.#steps.unshift(step);
  }

  /** Once, however often it is called. A step that fails is logged, and the others are done all the same. */
  run(): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  async #run(): Promise<void> {
    for (const step of this.#steps) {
      try {
        await step();
      } catch (error) {
        this.#log.error({ err: error }, 'a step of stopping failed');
      }
    }
  }
}
