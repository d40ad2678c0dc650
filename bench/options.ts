/** Options that the benchmarks have in common, read from the command line. */
import { InvalidArgumentError } from 'commander';

/** A whole number, 1 or more. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('expected a whole number, 1 or more.');
  return value;
}

/** A whole number, 0 or more. */
export const countOrNone = (text: string): number => (text === '0' ? 0 : count(text));

/** Reads a comma-separated list of some of the `known` ids. */
export const idsOf =
  (known: readonly string[]) =>
  (text: string): string[] => {
    const wanted = text.split(',');
    const unknown = wanted.find((id) => !known.includes(id));
    if (unknown !== undefined) {
      throw new InvalidArgumentError(`there is no '${unknown}'; known: ${known.join(', ')}.`);
    }
    return wanted;
  };
