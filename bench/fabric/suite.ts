/**
 * How the table is measured: row by row, in rounds in which every contestant takes its turn, the order reversed from round
 * to round. What counts is the ratio within a round: what else goes on on the machine meets all. What others disturbed is
 * measured again. Everything goes to the journal, and what is there already is not measured.
 */
import { median } from '../statistics.ts';
import { Arena } from './arena.ts';
import { type ContestantName, missing } from './contestants/contestants.ts';
import type { Journal, Measurement } from './journal.ts';
import { readMachine, usageBetween } from './meter.ts';
import { type Setting, settingKey } from './setting.ts';
import { type Level, REFERENCE, type Row } from './table.ts';
import { udp } from './works.ts';

/** More than this share of the machine taken by others, and a measurement is not believed. */
export const FOREIGN_LIMIT = 0.05;
export interface Effort {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** How often one is made at most that others disturb: the least disturbed counts in the end, and is marked. */
  readonly attempts: number;
}

export const efforts = {
  quick: { rounds: 3, seconds: 1, warmUpSeconds: 0.5, attempts: 1 },
  standard: { rounds: 5, seconds: 1.5, warmUpSeconds: 1.5, attempts: 2 },
  full: { rounds: 7, seconds: 2, warmUpSeconds: 2, attempts: 3 },
} as const satisfies Record<Level, Effort>;

export interface Plan extends Effort {
  readonly rows: readonly Row[];
  /** Milliseconds of performance.now() after which nothing more is begun. */
  readonly until: number;
}

export interface Progress {
  /** Measurements done and in all. */
  readonly done: number;
  readonly all: number;
  readonly row: Row;
  readonly contestant: ContestantName;
  readonly round: number;
  readonly rounds: number;
}

interface Turn {
  readonly row: Row;
  readonly contestant: ContestantName;
  readonly round: number;
}

export const roundsOf = (row: Row, plan: Pick<Plan, 'rounds'>): number => row.rounds ?? plan.rounds;

/** Whose turn it is, one after the other; those that are not there do not take part. */
export function turnsOf(row: Row, rounds: number, absent: (name: ContestantName) => boolean): Turn[] {
  const present = row.contestants.filter((name) => !absent(name));
  return Array.from({ length: rounds }, (_, round) => {
    const order = round % 2 === 0 ? present : [...present].reverse();
    return order.map((contestant) => ({ row, contestant, round }));
  }).flat();
}

/** @returns whether all is measured: `until` may have come before */
export async function measureAll(
  plan: Plan,
  journal: Journal,
  progress: (at: Progress) => void,
): Promise<boolean> {
  const absent = (name: ContestantName) => missing(name) !== undefined;
  const turns = plan.rows.flatMap((row) => turnsOf(row, roundsOf(row, plan), absent));
  const isDone = ({ row, contestant, round }: Turn) => journal.has(row.id, contestant, round);
  for (const [setting, group] of groupBySetting(turns)) {
    const left = group.filter((turn) => !isDone(turn));
    if (left.length === 0) continue;
    const arena = new Arena(setting, plan.warmUpSeconds);
    try {
      for (const turn of left) {
        if (performance.now() > plan.until) return false;
        const { row, contestant, round } = turn;
        const done = turns.filter(isDone).length;
        progress({ done, all: turns.length, row, contestant, round, rounds: roundsOf(row, plan) });
        journal.add(await take(arena, turn, plan, journal));
      }
    } finally {
      await arena.close();
    }
  }
  return true;
}

/** By setting, in the order in which settings first come. */
function groupBySetting(turns: readonly Turn[]): Map<Setting, Turn[]> {
  const settings = new Map<string, Setting>();
  const groups = new Map<Setting, Turn[]>();
  for (const turn of turns) {
    const key = settingKey(turn.row.setting);
    const setting = settings.get(key) ?? turn.row.setting;
    settings.set(key, setting);
    groups.set(setting, [...(groups.get(setting) ?? []), turn]);
  }
  return groups;
}

async function take(arena: Arena, turn: Turn, plan: Plan, journal: Journal): Promise<Measurement> {
  const { row, contestant, round } = turn;
  const described = { row: row.id, contestant, round };
  let best: Measurement | undefined;
  let failure = '';
  // What failed is tried again as well, even where disturbances are taken as they are.
  for (let attempt = 0; attempt < Math.max(plan.attempts, failure ? 2 : 1); attempt++) {
    try {
      const seconds = Math.max(Math.min(plan.seconds, row.seconds ?? plan.seconds), row.leastSeconds ?? 0);
      const halfLoad = () => halfLoadOf(arena, journal, plan);
      const pods = await arena.get(contestant);
      const before = readMachine();
      const figures = await row.work(pods, { seconds, halfLoad });
      const { foreign } = usageBetween(before, readMachine());
      const one: Measurement = { ...described, figures, foreign, rejected: attempt };
      if (foreign <= FOREIGN_LIMIT) return one;
      if (!best || foreign < best.foreign) best = one;
    } catch (error) {
      failure = (error as Error).message;
      await arena.restartLoad(contestant);
    }
  }
  if (best) return { ...best, rejected: plan.attempts - 1 };
  return { ...described, failure, foreign: 0, rejected: 0 };
}

const TRIALS = 3;

/** Half of what the reference carries of small datagrams in this setting, measured once a run. */
async function halfLoadOf(arena: Arena, journal: Journal, plan: Plan): Promise<number> {
  const key = settingKey(arena.setting);
  const known = journal.halfLoad(key);
  if (known !== undefined) return known;
  const reference = await arena.get(REFERENCE);
  const carried: number[] = [];
  for (let trial = 0; trial < TRIALS; trial++) {
    carried.push((await udp(reference, { size: 64, flows: 1 }, 0, plan.seconds)).delivered);
  }
  const halfLoad = Math.round(median(carried) / 2);
  journal.addHalfLoad(key, halfLoad);
  return halfLoad;
}
