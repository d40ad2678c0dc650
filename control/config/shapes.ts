/**
 * What data from outside may look like, as zod schemas that say of every value what would be right: the configuration
 * (schema.ts) and the requests of the API are made of these. Knows neither.
 */
import { z } from 'zod';
import { closest } from './closest.ts';
import type { Kind } from './values.ts';

/** A value that has to be there, unless there is something to take in its place. */
export function value<T>({ right, read }: Kind<T>): z.ZodTransform<T, unknown>;
export function value<T, const D>({ right, read }: Kind<T>, absent: D): z.ZodTransform<T | D, unknown>;
export function value<T, const D>(
  { right, read }: Kind<T>,
  ...absent: [D] | []
): z.ZodTransform<T | D, unknown> {
  return z.transform((raw, context): T | D => {
    if (raw === undefined && absent.length === 1) return absent[0];
    try {
      const result = raw === undefined || raw === null ? undefined : read(raw);
      if (result !== undefined) return result;
      context.issues.push({ code: 'custom', input: raw, message: `expected ${right}, found ${show(raw)}` });
    } catch (error) {
      context.issues.push({ code: 'custom', input: raw, message: (error as Error).message });
    }
    return z.NEVER;
  });
}

/** @param or what may stand in place of the section */
export function section<Shape extends z.ZodRawShape>(shape: Shape, or = '') {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    error(issue) {
      if (issue.code !== 'unrecognized_keys') {
        return `expected ${or}keys (${keys.join(', ')}), found ${show(issue.input)}`;
      }
      const near = closest(issue.keys[0], keys);
      return `unknown key${near ? `; did you mean '${near}'?` : ';'} known here: ${keys.join(', ')}`;
    },
  });
}

/** A section of which every key has a default, and so the section itself. */
export function withDefaults<Shape extends z.ZodRawShape>(shape: Shape) {
  const schema = section(shape);
  return schema.prefault({} as z.input<typeof schema>);
}

export function list<Item extends z.ZodType>(item: Item, of: string) {
  return z.array(item, { error: ({ input }) => `expected a list of ${of}, found ${show(input)}` });
}

/** A section or list in whose place a single value may stand, which `spell` writes out as one. */
export function shortly<T, V>({ right, read }: Kind<V>, spell: (value: V) => unknown, whole: z.ZodType<T>) {
  return z.transform((raw, context): T => {
    const problem = (message: string, path: readonly PropertyKey[] = []): never => {
      context.issues.push({ code: 'custom', input: raw, message, path: [...path] });
      return z.NEVER;
    };
    let given: unknown = raw;
    if (raw === null || typeof raw !== 'object') {
      try {
        const single = read(raw);
        if (single === undefined) return problem(`expected ${right}, found ${show(raw)}`);
        given = spell(single);
      } catch (error) {
        return problem((error as Error).message);
      }
    }
    const result = whole.safeParse(given);
    if (result.success) return result.data;
    const [first, ...rest] = problemsOf(result.error);
    for (const { message, path } of rest) problem(message, path);
    return problem(first.message, first.path);
  });
}

/** For messages: what stands in the file, shortened. */
function show(raw: unknown): string {
  if (raw === undefined || raw === null) return 'nothing';
  if (Array.isArray(raw)) return 'a list';
  if (typeof raw === 'object') return 'keys';
  const text = typeof raw === 'string' ? `'${raw}'` : String(raw);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** What is wrong and what would be right, and where. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An unknown key is reported at the section it is in. */
export function problemsOf({ issues }: z.ZodError): Problem[] {
  return issues.map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    return { path: [...issue.path, ...keys], message: issue.message };
  });
}

/** 'routes[0].via: what is wrong' */
export function problemText({ path, message }: Problem): string {
  const where = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key).replaceAll(/\s+/g, ' ')}`))
    .join('')
    .replace(/^\./, '');
  return where ? `${where}: ${message}` : message;
}
