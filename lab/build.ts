/** From nothing to a lab: one that goes when the work with it is done, or one that stays under its name. */
import type { Lab } from './description.ts';
import { claimLab, DEFAULT_LAB, writeLab } from './labs.ts';
import { Run } from './run.ts';
import { buildThreeNodes } from './three-nodes.ts';

/** Builds a lab, works with it, takes it away, whatever happens. */
export async function withLab<T>(work: (lab: Promise<Lab>) => Promise<T>): Promise<T> {
  const run = new Run();
  try {
    return await work(buildThreeNodes(run, DEFAULT_LAB));
  } finally {
    await run.close();
  }
}

/** Builds a lab that stays; takes away what there is of it when that fails. @throws WeftError 'in-use' */
export async function buildToStay(name: string): Promise<Lab> {
  claimLab(name);
  const run = new Run(name);
  try {
    const lab = await buildThreeNodes(run, name);
    writeLab(lab);
    run.leave();
    return lab;
  } catch (error) {
    await run.close();
    throw error;
  }
}
