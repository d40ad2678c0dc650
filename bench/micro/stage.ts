/** What a micro benchmark is: one stage of the engine, and the batch of packets that it is given again and again. */

/** Packets a batch, in every stage. */
export const PACKETS = 64;

export interface Stage {
  readonly id: string;
  readonly title: string;
  /** Builds the batch and what the stage needs; only called for stages that are measured. */
  prepare(): Work;
}

export interface Work {
  /** Takes the batch through the stage once. Leaves everything so that it can be run again. */
  run(): void;
  /** Runs once and throws unless the packets fared as the title says: an error path is fast, and proves nothing. */
  prove(): void;
}

/** @throws Error that names what was counted when it is not what it should be */
export function expectCount(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} where ${expected} were expected`);
}
