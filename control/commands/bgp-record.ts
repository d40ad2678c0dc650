/** `weft bgp record` and `replay`: a session as it goes on into a file, and out of it again, to find where it went wrong. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import type { Replayed } from '../../routing/bgp/record/replay.ts';
import { WeftError } from '../errors.ts';
import { durationText } from '../text.ts';
import {
  clientCommand,
  connect,
  type JsonOption,
  print,
  type SocketOption,
  wholeNumber,
} from './client-command.ts';
import { save } from './save.ts';

interface RecordOptions extends SocketOption {
  readonly output: string;
  readonly seconds: number;
  readonly messages?: number;
}

export function recordCommand(): Command {
  return clientCommand('record', 'Writes down all that the session with a peer is told and does from now on.')
    .argument('<peer>', 'its name')
    .requiredOption('--output <file>', 'where to; read it with: weft bgp replay FILE')
    .option('--seconds <n>', 'for so long', wholeNumber(1, 86_400), 60)
    .option('--messages <n>', 'or until so many BGP messages came and went', wholeNumber(1, 1e9))
    .action(async (peer: string, { output, seconds, messages }: RecordOptions, command: Command) => {
      const query = {
        peer,
        seconds: String(seconds),
        ...(messages !== undefined && { messages: String(messages) }),
      };
      await save(output, () => connect(command.optsWithGlobals()).download('bgp/record', query));
    });
}

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Runs a recorded session again and tells whether it does the same, byte for byte; needs no daemon.',
    )
    .argument('<file>', 'what weft bgp record has written')
    .option('--json', 'one JSON document instead of text')
    .action(async (file: string, _: JsonOption, command: Command) => {
      const result = await read(file);
      print(result, command.optsWithGlobals<JsonOption>(), text);
      if (result.difference !== null || !result.intact) process.exitCode = 1;
    });
}

async function read(file: string): Promise<Replayed> {
  const { RecordingError, replay } = await import('../../routing/bgp/record/replay.ts');
  try {
    await (await open(file)).close();
    return await replay(createInterface({ input: createReadStream(file), crlfDelay: 0 }));
  } catch (error) {
    if (error instanceof RecordingError) throw new WeftError('failed', `${file}: ${error.message}`);
    throw new WeftError('failed', `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function text({ peer, at, inputs, calls, seconds, end, difference, intact }: Replayed): string {
  const what = `the session with ${peer}, recorded ${at}: ${inputs} inputs, ${calls} calls in ${durationText(seconds)}`;
  if (difference !== null) {
    const { line, recorded, replayed } = difference;
    return [
      `different: ${what}`,
      `line ${line}, recorded: ${recorded ?? 'nothing more'}`,
      `${' '.repeat(`line ${line}, `.length)}replayed: ${replayed ?? 'nothing more'}`,
      ...(intact ? [] : ['the file is not as it was written: its digest does not fit']),
    ].join('\n');
  }
  if (end === null) return `cut off: ${what}; as far as it goes it is identical`;
  if (!intact)
    return `changed: ${what}; it does the same, but the file is not as it was written: its digest does not fit`;
  return `identical: ${what}; it ended: ${end}`;
}
