/** Reading JSON that others wrote: values of a kind, or an error that names the key, the value and what would be right. */
import { CniCode, CniError } from './error.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Go's decoder, which other plugins and runtimes have, takes a null for an absent key. */
const isAbsent = (value: unknown) => value === undefined || value === null;

export function object(value: unknown, key: string): Json {
  if (isAbsent(value)) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw wrong(key, value, 'an object');
}

export function list(value: unknown, key: string): readonly unknown[] {
  if (isAbsent(value)) return [];
  if (Array.isArray(value)) return value;
  throw wrong(key, value, 'a list');
}

export function objects(value: unknown, key: string): Json[] {
  return list(value, key).map((one, i) => object(one, `${key}[${i}]`));
}

/** Undefined also for the empty string. */
export function text(value: unknown, key: string): string | undefined {
  if (isAbsent(value) || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw wrong(key, value, 'text');
}

export function texts(value: unknown, key: string): string[] {
  return list(value, key).map((one, i) => {
    if (typeof one === 'string') return one;
    throw wrong(`${key}[${i}]`, one, 'text');
  });
}

export function integer(value: unknown, key: string, min: number, max: number): number | undefined {
  if (isAbsent(value) || value === 0) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrong(key, value, `a whole number from ${min} to ${max}`);
}

/** Keys compared without case: containerd writes `Servers` where the conventions say `servers`. */
export function anyCase(from: Json, name: string): unknown {
  const wanted = name.toLowerCase();
  const key = Object.keys(from).find((one) => one.toLowerCase() === wanted);
  return key === undefined ? undefined : from[key];
}

/** Runs a parser whose message says what is wrong with the text. */
export function parsed<T>(key: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CniError(CniCode.invalidConfig, `${key}: ${(error as Error).message}`, { cause: error });
  }
}

function wrong(key: string, value: unknown, right: string): CniError {
  return new CniError(
    CniCode.invalidConfig,
    `${key}: ${JSON.stringify(value)} is not valid; expected ${right}`,
  );
}
