/** `weft bench guard`: fails when a stage or a ratio has fallen behind the committed baseline; --update writes that. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { WeftError } from '../../control/errors.ts';
import { table } from '../../control/text.ts';
import { describeBuild, describeMachine, machineText } from '../machine.ts';
import { FOLDER } from '../report/files.ts';
import { checkout } from '../report/package-folder.ts';
import { median } from '../statistics.ts';
import { fabricRatios, guardedRows } from './fabric.ts';
import { guardedStages, stageRatio } from './micro.ts';
import { type Baseline, better, type Finding, judge, margins } from './verdict.ts';

interface Options {
  readonly update?: boolean;
  readonly baseline?: string;
  readonly json?: boolean;
}

type Ratios = Pick<Baseline, 'micro' | 'fabric'>;

const FILE = 'guard.json';
/** A ratio is kept with so many digits. */
const DIGITS = 3;
/** What has fallen is measured again so often at most: a disturbance from outside must not decide. */
const RETRIES = 5;
/** Traffic is measured again after twice as long each time, seconds: what disturbs it from outside is to have passed. */
const FIRST_PAUSE = 2;
/** The baseline is the median of so many. */
const UPDATES = 3;

export const guardCommand = (): Command =>
  new Command('guard')
    .description(
      `fail when a stage takes over ${margins.micro} times as long as the baseline says, or a fabric ratio is under ${margins.fabric} of it`,
    )
    .option('--update', 'write the baseline instead')
    .option('--baseline <file>', `another than ${FOLDER}/${FILE}; only what it names is measured`)
    .option('--json', 'one JSON document instead of text')
    .action(guard);

async function guard({ update, baseline: other, json }: Options): Promise<void> {
  const file = other === undefined ? join(checkout(), FOLDER, FILE) : resolve(other);
  if (update) return writeBaseline(file);
  const findings = await judgePatiently(readBaseline(file));
  if (json) process.stdout.write(`${JSON.stringify({ margins, findings })}\n`);
  else process.stdout.write(`${guardText(findings)}\n`);
  if (findings.some(({ fallen }) => fallen)) process.exitCode = 1;
}

function readBaseline(file: string): Ratios {
  if (!existsSync(file)) throw new WeftError('failed', `there is no ${file}; write it with --update`);
  return JSON.parse(readFileSync(file, 'utf8')) as Baseline;
}

const progress = (text: string): void => void process.stderr.write(`guard: ${text}\n`);

/** What the baseline names, of what there is. */
async function measure(wanted: Ratios): Promise<Ratios> {
  const micro: Record<string, number> = {};
  progress(`${Object.keys(wanted.micro).length} stages`);
  for (const stage of guardedStages) if (stage.id in wanted.micro) micro[stage.id] = stageRatio(stage);
  const ids = Object.keys(wanted.fabric);
  return { micro, fabric: ids.length > 0 ? await fabricRatios(ids, progress) : {} };
}

/** What has fallen is measured again, alone, and the best of all counts: what disturbs only ever makes worse. */
async function judgePatiently(baseline: Ratios): Promise<Finding[]> {
  let findings = judge(baseline, await measure(baseline));
  for (let retry = 0; retry < RETRIES; retry++) {
    const fallen = findings.filter((finding) => finding.fallen);
    if (fallen.length === 0) break;
    progress(`once more: ${fallen.map(({ id }) => id).join(', ')}`);
    if (fallen.some(({ kind }) => kind === 'fabric')) await setTimeout(FIRST_PAUSE * 2 ** retry * 1000);
    const again = await measure(ratiosOf(fallen, ({ was }) => was));
    const best = ratiosOf(findings, (one) => (one.fallen ? better(one, again[one.kind][one.id]) : one.is));
    findings = judge(baseline, best);
  }
  return findings;
}

const ratiosOf = (findings: readonly Finding[], of: (finding: Finding) => number): Ratios => {
  const only = (kind: Finding['kind']) =>
    Object.fromEntries(findings.filter((one) => one.kind === kind).map((one) => [one.id, of(one)]));
  return { micro: only('micro'), fabric: only('fabric') };
};

async function writeBaseline(file: string): Promise<void> {
  const named = (ids: readonly string[]) => Object.fromEntries(ids.map((id) => [id, 1]));
  const all = { micro: named(guardedStages.map(({ id }) => id)), fabric: named(guardedRows) };
  const measured: Ratios[] = [];
  for (let n = 0; n < UPDATES; n++) measured.push(await measure(all));
  const medians = (kind: keyof Ratios) =>
    Object.fromEntries(
      Object.keys(all[kind]).map((id) => [id, median(measured.map((one) => one[kind][id]))]),
    );
  const baseline: Baseline = {
    begun: new Date().toISOString(),
    version: describeBuild().version,
    machine: machineText(describeMachine()),
    micro: medians('micro'),
    fabric: medians('fabric'),
  };
  const rounded = (_: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value;
  writeFileSync(file, `${JSON.stringify(baseline, rounded, 2)}\n`);
  process.stdout.write(`${file}\n`);
}

export function guardText(findings: readonly Finding[]): string {
  const fallen = findings.filter((finding) => finding.fallen);
  const rows = (fallen.length > 0 ? fallen : findings).map(({ kind, id, was, is }) => [
    kind,
    id,
    was.toFixed(2),
    is.toFixed(2),
    (is / was).toFixed(2),
  ]);
  const what = kindText(findings);
  const end =
    fallen.length === 0
      ? `guard: ${what} within their margins`
      : `guard: ${fallen.length} of ${what} have fallen behind the baseline (margins: micro ${margins.micro}, fabric ${margins.fabric})`;
  return `${table(['', '', 'was', 'is', 'is / was'], rows)}\n${end}`;
}

function kindText(findings: readonly Finding[]): string {
  const count = (kind: Finding['kind']) => findings.filter((one) => one.kind === kind).length;
  return `${count('micro')} stages and ${count('fabric')} fabric ratios`;
}
