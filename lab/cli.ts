/** `weft lab`: its commands and their options; what they do is in the files beside it. */
import { Command, Option } from 'commander';
import { print } from '../control/commands/client-command.ts';
import { buildToStay } from './build.ts';
import { demoText, runDemo } from './demo.ts';
import { execute } from './exec.ts';
import { asFailure } from './failure.ts';
import { healthOf } from './health.ts';
import {
  checkLabName,
  checkNobodyHas,
  DEFAULT_LAB,
  isStanding,
  labNames,
  nameOption,
  readLab,
  removeLab,
} from './labs.ts';
import { picture } from './picture.ts';
import { checkMachine, checkRoot } from './preflight.ts';
import { Progress } from './progress.ts';
import { sweep } from './run.ts';
import { labsText, usageText } from './status.ts';

interface NameOption {
  readonly name: string;
}

interface JsonOption {
  readonly json?: boolean;
}

interface DemoOptions extends NameOption, JsonOption {
  readonly keep?: boolean;
}

export function labCommand(): Command {
  const lab = new Command('lab').description('A whole fabric in network namespaces of this machine.');
  lab
    .command('demo')
    .description('builds a lab, checks and measures it, takes it away')
    .option('--json', 'one JSON document instead of text')
    .option('--keep', 'leave the lab standing, as weft lab up does')
    .addOption(nameOf('of the lab that stays'))
    .action(failing(demo));
  lab
    .command('up')
    .description('builds a lab and leaves it running: two Weft nodes, a kernel VXLAN node, two pods each')
    .addOption(nameOf('of the lab, to have several'))
    .action(failing(up));
  lab
    .command('status')
    .description('the labs that stand: nodes, pods, addresses, health')
    .option('--json', 'one JSON document instead of text')
    .option('--name <name>', 'of one lab (default: all)')
    .action(failing(status));
  lab
    .command('exec')
    .description('runs a command on a node, in a pod or outside')
    .usage('[options] <node|pod> -- <command…>')
    .addOption(nameOf('of the lab'))
    .argument('<host>', 'node-a, pod-a1, …, outside')
    .argument('<command...>', 'and its arguments')
    .action(failing(exec));
  lab
    .command('down')
    .description('takes a lab away, and what killed runs have left')
    .addOption(nameOf('of the lab'))
    .action(failing(down));
  return lab;
}

const nameOf = (what: string): Option =>
  new Option('--name <name>', what).default(DEFAULT_LAB).argParser(checkLabName);

/** Commands that the lab runs may fail; that is no bug. */
const failing =
  <A extends unknown[]>(action: (...args: A) => Promise<void>) =>
  async (...args: A): Promise<void> => {
    try {
      await action(...args);
    } catch (error) {
      throw asFailure(error);
    }
  };

async function demo({ json, keep, name }: DemoOptions): Promise<void> {
  checkMachine('demo');
  const progress = new Progress(json ? process.stderr : process.stdout);
  const result = await runDemo(progress, keep ? name : undefined);
  if (!result.ok) process.exitCode = 1;
  if (json) return print(result, { json }, () => '');
  const { checks } = result;
  const good = checks.filter(({ ok }) => ok).length;
  progress.say(`\n${demoText(result, progress.style)}\n`);
  progress.say(`  ${good} of ${checks.length} checks ok; ${progress.seconds.toFixed(1)} s in all`);
  if (keep) progress.say(`\nthe lab '${name}' stays:\n\n${usageText(result.lab)}`);
}

async function up({ name }: NameOption): Promise<void> {
  checkMachine('build');
  checkNobodyHas(name);
  const progress = new Progress(process.stdout);
  const lab = await progress.step(`build the lab '${name}'`, () => buildToStay(name));
  progress.say(`\n${picture(lab)}\n\n${usageText(lab)}`);
}

async function status({ name, json }: Partial<NameOption> & JsonOption): Promise<void> {
  checkRoot();
  const names = name === undefined ? labNames().filter(isStanding) : [checkLabName(name)];
  const labs = await Promise.all(names.map((one) => healthOf(readLab(one))));
  print(labs, json ? { json } : {}, labsText);
}

async function exec(host: string, words: string[], { name }: NameOption): Promise<void> {
  checkRoot();
  process.exitCode = await execute(readLab(name), host, words);
}

async function down({ name }: NameOption): Promise<void> {
  checkRoot();
  const removed = removeLab(name);
  const swept = sweep().length;
  if (removed) console.log(`the lab '${name}' is gone`);
  else
    console.log(
      `there is no lab '${name}'${nameOption(name) === '' ? '' : '; weft lab status lists those that stand'}`,
    );
  if (swept > 0) console.log(`what ${swept} killed run${swept === 1 ? '' : 's'} had left is gone as well`);
}
