/** `weft drops` */
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { Verdict, type VerdictName, verdictMeaning, verdictNames } from '../../engine/verdict.ts';
import type { Client } from '../client.ts';
import type { Drops } from '../service.ts';
import { table } from '../text.ts';
import { connect, type JsonOption, print, readingCommand } from './client-command.ts';

interface DropsOptions extends JsonOption {
  readonly watch?: boolean;
}

/** How often --watch looks, milliseconds. */
const INTERVAL = 1000;

export function dropsCommand(): Command {
  return readingCommand(
    'drops',
    'Prints how many packets were dropped since the start of the node, by reason.',
  )
    .option('--watch', 'go on until interrupted: a line for each reason whenever it grows')
    .action(async (options: DropsOptions) => {
      const client = connect(options);
      const drops = await client.get<Drops>('drops');
      print(drops, options, dropsText);
      if (options.watch) await watch(client, drops, options);
    });
}

function dropsText(drops: Drops): string {
  const rows = Object.entries(drops).map(([reason, packets]) => [
    reason,
    packets,
    meanings.get(reason) ?? '',
  ]);
  return table(['REASON', 'PACKETS', 'MEANING'], rows);
}

const meanings = new Map(
  Object.entries(Verdict).map(([name, verdict]) => [
    verdictNames[verdict],
    verdictMeaning[name as VerdictName],
  ]),
);

/** With --json a document a change, each a line. */
async function watch(client: Client, first: Drops, options: DropsOptions): Promise<never> {
  for (let before = first; ; ) {
    await wait(INTERVAL);
    const now = await client.get<Drops>('drops');
    const grown = Object.entries(now).filter(([reason, packets]) => packets > (before[reason] ?? 0));
    if (grown.length > 0) print(now, options, () => grown.map((one) => grownText(one, before)).join('\n'));
    before = now;
  }
}

function grownText([reason, packets]: readonly [string, number], before: Drops): string {
  const time = new Date().toTimeString().slice(0, 8);
  return `${time}  ${reason}  +${packets - (before[reason] ?? 0)}  ${packets} in all`;
}
