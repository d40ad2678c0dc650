/**
 * What the machine did while something was measured: how busy its processors were, and how much of that was not ours. A run
 * that others disturbed is not believed. "Ours" are this process with all that descend from it (the load, the contestants),
 * those already gone among them, and the kernel's own threads; time in interrupts is ours, as nobody can tell.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Clock ticks a second in /proc (sysconf(_SC_CLK_TCK), 100 on every Linux that Node runs on). */
const TICKS = 100;
const KTHREADD = 2;

export interface ProcessTime {
  readonly pid: number;
  readonly parent: number;
  /** User and system, its own and of the children that it has waited for, ticks. */
  readonly ticks: number;
}

export interface MachineTime {
  /** Milliseconds, of no particular origin. */
  readonly at: number;
  /** Of all processors, ticks: not idle; and taken by the hypervisor for others. */
  readonly busy: number;
  readonly stolen: number;
  readonly processes: readonly ProcessTime[];
}

export interface Usage {
  readonly seconds: number;
  /** Processor seconds of the machine, less what was foreign. */
  readonly cpuSeconds: number;
  /** Processor time of others, as a share of the machine. */
  readonly foreign: number;
}

/** Fields of a /proc/PID/stat (proc_pid_stat(5)). */
export function parseProcessStat(text: string): ProcessTime {
  // The name, in parentheses, may have any character, parentheses included.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number);
  const ticks = user + system + childrenUser + childrenSystem;
  return { pid: Number.parseInt(text, 10), parent: Number(fields[1]), ticks };
}

/** The first line of /proc/stat (proc_stat(5)): not idle, and stolen, ticks. */
export function parseMachineStat(text: string): { readonly busy: number; readonly stolen: number } {
  const [user, nice, system, , , irq, softIrq, stolen = 0] = text
    .split('\n')[0]
    .split(/ +/)
    .slice(1)
    .map(Number);
  return { busy: user + nice + system + irq + softIrq, stolen };
}

export function readMachine(): MachineTime {
  const processes: ProcessTime[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      processes.push(parseProcessStat(readFileSync(`/proc/${name}/stat`, 'utf8')));
    } catch {
      // It has ended since.
    }
  }
  return { at: performance.now(), ...parseMachineStat(readFileSync('/proc/stat', 'utf8')), processes };
}

/** Ids of `root` and all that descend from it, and of kernel threads. */
function ours(processes: readonly ProcessTime[], root: number): Set<number> {
  const own = new Set([root, KTHREADD]);
  for (let before = 0; before !== own.size; ) {
    before = own.size;
    for (const { pid, parent } of processes) if (own.has(parent)) own.add(pid);
  }
  return own;
}

/** All that processes which are not ours have used so far. What a parent has waited for moves to it and stays in the sum. */
function foreignTicks({ processes }: MachineTime, root: number): number {
  const own = ours(processes, root);
  return processes.reduce((sum, { pid, ticks }) => (own.has(pid) ? sum : sum + ticks), 0);
}

/**
 * What happened between two readings. Time of others is counted by their processes, so that rounding of the machine's own
 * ticks is nobody's; one that came and went between the readings is with the parent that waited for it.
 */
export function usageBetween(
  before: MachineTime,
  after: MachineTime,
  root = process.pid,
  cores = availableParallelism(),
): Usage {
  const seconds = (after.at - before.at) / 1000;
  const others = Math.max(0, foreignTicks(after, root) - foreignTicks(before, root));
  const foreign = others + Math.max(0, after.stolen - before.stolen);
  const cpuSeconds = Math.max(0, after.busy - before.busy - others) / TICKS;
  return { seconds, cpuSeconds, foreign: foreign / TICKS / seconds / cores };
}
