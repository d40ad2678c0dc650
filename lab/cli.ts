/** `weft lab`: what is shown of the lab; building and checking are in the files beside it. */
import { Command } from 'commander';
import { table } from '../control/text.ts';
import { type Check, checksOf } from './checks.ts';
import { type Measured, measure } from './measure.ts';
import { picture } from './picture.ts';
import { Run } from './run.ts';
import { buildThreeNodes } from './three-nodes.ts';

interface DemoOptions {
  readonly json?: boolean;
}

interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
}

export function labCommand(): Command {
  const lab = new Command('lab').description('A whole fabric in network namespaces of this machine.');
  lab
    .command('demo')
    .description('two Weft nodes and a kernel VXLAN node with two pods each: checks, measures, cleans up')
    .option('--json', 'one JSON document instead of text')
    .action(demo);
  return lab;
}

async function demo({ json }: DemoOptions): Promise<void> {
  const say = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`);
  const run = new Run();
  try {
    say('building three nodes and six pods …');
    const nodes = await buildThreeNodes(run);
    say(`\n${picture(nodes)}\n`);
    const checks: CheckResult[] = [];
    for (const check of checksOf(nodes, run.folder)) {
      const result = await outcome(check);
      say(`${result.ok ? 'ok    ' : 'FAILED'}  ${result.name}: ${result.found}`);
      checks.push(result);
    }
    say('\nmeasuring …');
    const [a, b, c] = nodes.map(({ pods }) => pods[0]);
    const measured: Measured[] = [];
    for (const [from, to] of [
      [a, b],
      [a, c],
      [c, b],
    ]) {
      measured.push(await measure(from, to));
    }
    if (json) process.stdout.write(`${JSON.stringify({ checks, measured })}\n`);
    else say(`\n${measuredText(measured)}`);
    if (checks.some(({ ok }) => !ok)) process.exitCode = 1;
  } finally {
    await run.close();
  }
}

async function outcome({ name, run }: Check): Promise<CheckResult> {
  try {
    return { name, ok: true, found: await run() };
  } catch (error) {
    return { name, ok: false, found: (error as Error).message };
  }
}

function measuredText(measured: readonly Measured[]): string {
  const rows = measured.map(({ from, to, gigabitsPerSecond, roundTrip }) => [
    from,
    to,
    gigabitsPerSecond.toFixed(2),
    roundTrip.toFixed(3),
  ]);
  return table(['from', 'to', 'TCP Gbit/s', 'round trip ms'], rows);
}
