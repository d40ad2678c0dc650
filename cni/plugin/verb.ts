/** What a runtime may ask of a plugin. Imports no more than errors: the client uses it. */
import { CniCode, CniError } from './error.ts';

const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type Verb = (typeof VERBS)[number];

/** @throws CniError */
export function verbOf(env: Readonly<Record<string, string | undefined>>): Verb {
  const asked = env.CNI_COMMAND;
  const verb = VERBS.find((one) => one === asked);
  if (verb) return verb;
  throw environment(
    'CNI_COMMAND',
    asked ? `${JSON.stringify(asked)} is none of ${VERBS.join(', ')}` : 'is not set; this is a CNI plugin',
  );
}

/** @param names of the variables */
export function environment(names: string, problem: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `${names}: ${problem}`);
}
