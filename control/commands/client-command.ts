/** What the commands that ask the daemon have in common: their options, the connection, and how results are printed. */
import { Command, InvalidArgumentError } from 'commander';
import { type Address, parseAddress } from '../../wire/address.ts';
import { type Client, DEFAULT_SOCKET, openClient } from '../client.ts';

export interface SocketOption {
  readonly socket?: string;
}

export interface JsonOption extends SocketOption {
  readonly json?: boolean;
}

/** A command with --socket. */
export function clientCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--socket <path>', `socket of the daemon (default: $WEFT_SOCKET, or ${DEFAULT_SOCKET})`);
}

/** The same with --json. */
export function readingCommand(name: string, description: string): Command {
  return clientCommand(name, description).option('--json', 'one JSON document instead of text');
}

export function connect(options: SocketOption): Client {
  return openClient(socketOf(options));
}

export function socketOf({ socket }: SocketOption): string {
  return socket ?? (process.env.WEFT_SOCKET || DEFAULT_SOCKET);
}

/** Prints a result as JSON or as what `text` makes of it. */
export function print<T>(result: T, { json }: JsonOption, text: (result: T) => string): void {
  // Who reads has seen enough (weft drops --watch | head).
  if (process.stdout.listenerCount('error') === 0) process.stdout.once('error', () => process.exit(0));
  process.stdout.write(`${json ? JSON.stringify(result) : text(result)}\n`);
}

/** Parsers of options and arguments; what they throw ends as wrong usage. */
export function address(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
