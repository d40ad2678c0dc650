/**
 * The command line: finds the command in the catalogue, loads it and no other, runs it, and turns errors into one line
 * and an exit status. What the commands do is in commands/.
 */
import { Command, CommanderError } from 'commander';
import { type CatalogueEntry, catalogue, later } from './commands/catalogue.ts';
import { closest } from './config/closest.ts';
import { codeOf, exitStatus, WeftError } from './errors.ts';
import { readVersion } from './version.ts';

/** @returns the exit status */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    const words = socketBehind(argv);
    const program = await createProgram(words);
    await program.parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error);
  }
}

/** `weft --socket PATH status` is `weft status --socket PATH`. */
function socketBehind(argv: readonly string[]): readonly string[] {
  const length = argv[0] === '--socket' ? 2 : argv[0]?.startsWith('--socket=') ? 1 : 0;
  if (argv[length] === undefined || argv[length].startsWith('-')) return argv;
  return [...argv.slice(length), ...argv.slice(0, length)];
}

async function createProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('weft')
    .description('User-space pod network: pods of many nodes in one fabric, over VXLAN, IPIP or directly.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`weft: ${oneLine(text)}\n`) });
  const name = commandName(argv);
  const entry = name === undefined ? undefined : find(name);
  for (const one of catalogue) {
    const command = one === entry ? await one.load() : new Command(one.name);
    program.addCommand(command.summary(one.summary));
    inherit(command, program);
  }
  return program;
}

/** The first word that is no option, or the second after 'help'. */
function commandName(argv: readonly string[]): string | undefined {
  const words = argv.filter((word) => !word.startsWith('-'));
  return words[0] === 'help' ? words[1] : words[0];
}

function find(name: string): CatalogueEntry {
  const entry = catalogue.find((one) => one.name === name);
  if (entry) return entry;
  if (later.includes(name)) throw new WeftError('usage', `this version of weft does not have '${name}'`);
  const near = closest(name, ['help', ...catalogue.map((one) => one.name)]);
  const hint = near ? `did you mean '${near}'?` : 'weft --help lists the commands';
  throw new WeftError('usage', `unknown command '${name}'; ${hint}`);
}

/** What a command that was made by itself would have from its parent. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}

/** commander's "error: …\n(Did you mean …?)" */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
}

/** Prints what is not printed yet. @returns the exit status */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const text =
    codeOf(error) === undefined ? String((error as Error).stack ?? error) : oneLine((error as Error).message);
  process.stderr.write(`weft: ${text}\n`);
  return exitStatus(error);
}
