/** Errors of the lab for people: what a command that failed has said, in one line, and not the command's whole text. */
import { codeOf, WeftError } from '../control/errors.ts';

const saidBy = (error: unknown): string | undefined => {
  const { stderr } = error as { stderr?: unknown };
  return typeof stderr === 'string' ? stderr.trim().split('\n').at(-1) : undefined;
};

export function failureText(error: unknown): string {
  const said = saidBy(error);
  if (said) return said;
  const { killed, message } = error as Error & { killed?: boolean };
  if (killed) return 'it took too long';
  return message.split('\n')[0];
}

/** A command that failed is not a bug of the lab: told in one line, without a stack. */
export function asFailure(error: unknown): unknown {
  if (saidBy(error) === undefined || typeof codeOf(error) === 'string') return error;
  const { spawnargs } = error as { spawnargs?: readonly string[] };
  const command =
    (error as Error).message.split('\n')[0].replace(/^Command failed: /, '') || spawnargs?.join(' ');
  return new WeftError('failed', `'${command}' failed: ${failureText(error)}`, { cause: error });
}
