/**
 * Labs by name, those that stay when the command that built them has ended: whose name is taken, what is written of them,
 * how they are taken away.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeftError } from '../control/errors.ts';
import { locked } from '../sys/file-lock.ts';
import type { Lab } from './description.ts';
import { isAlive, record, recorded } from './processes.ts';
import { list, namespacesOf, PROCESS_FILE, removeAll } from './remains.ts';

export const DEFAULT_LAB = 'lab';

/** Of the folders in /run; what follows is the name. */
const FOLDER_PREFIX = 'weft-lab.';
/** No hyphen: it ends the name in names of namespaces. No digit first: runs have the pid there. */
const NAME = /^[a-z][a-z0-9]{0,15}$/;
/** Names are taken and given back by one process at a time. No lab's folder: those end in a name. */
const LOCK = '/run/weft-labs.lock';
/** Written when the lab is complete. */
const DESCRIPTION = 'lab.json';

export const labFolder = (name: string): string => join('/run', FOLDER_PREFIX + name);
export const labPrefix = (name: string): string => `weft-${name}-`;

/** Of all that have a folder, complete or not. */
export const labNames = (): string[] =>
  list('/run')
    .filter((name) => name.startsWith(FOLDER_PREFIX))
    .map((name) => name.slice(FOLDER_PREFIX.length))
    .filter((name) => NAME.test(name))
    .sort();

const descriptionOf = (name: string): string => join(labFolder(name), DESCRIPTION);

export const isStanding = (name: string): boolean => existsSync(descriptionOf(name));

/** @throws WeftError 'usage' */
export function checkLabName(name: string): string {
  if (NAME.test(name)) return name;
  throw new WeftError(
    'usage',
    `'${name}' is no name for a lab: at most 16 lower-case letters and digits, a letter first`,
  );
}

/** Takes the name for a lab that this process builds. What a builder that was killed has left goes. */
export function claimLab(name: string): void {
  locked(LOCK, () => {
    checkNobodyHas(name);
    removeWhatIsLeft(name);
    mkdirSync(labFolder(name), { mode: 0o700 });
    record(join(labFolder(name), PROCESS_FILE), process.pid);
  });
}

/** @throws WeftError 'in-use' */
export function checkNobodyHas(name: string): void {
  if (isStanding(name)) {
    throw inUse(
      name,
      `it stands already; take it away with: weft lab down${nameOption(name)}, or give --name`,
    );
  }
  checkNotBeingBuilt(name);
}

function checkNotBeingBuilt(name: string): void {
  const builder = recorded(join(labFolder(name), PROCESS_FILE));
  if (!isStanding(name) && builder && builder.pid !== process.pid && isAlive(builder)) {
    throw inUse(name, `process ${builder.pid} is building it; wait for that, or end it`);
  }
}

const inUse = (name: string, why: string): WeftError => new WeftError('in-use', `the lab '${name}': ${why}`);

/** ' --name NAME' where commands need it. */
export const nameOption = (name: string): string => (name === DEFAULT_LAB ? '' : ` --name ${name}`);

/** From now on the lab stands. */
export function writeLab(lab: Lab): void {
  const file = descriptionOf(lab.name);
  writeFileSync(`${file}.new`, `${JSON.stringify(lab, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** @throws WeftError 'not-found' when there is no such lab */
export function readLab(name: string): Lab {
  if (!isStanding(name)) {
    const others = labNames().filter(isStanding);
    const hint = others.length > 0 ? `; those that stand: ${others.join(', ')}` : '';
    throw new WeftError(
      'not-found',
      `there is no lab '${name}'; build one with: weft lab up${nameOption(name)}${hint}`,
    );
  }
  return JSON.parse(readFileSync(descriptionOf(name), 'utf8')) as Lab;
}

/** Removes a lab, complete or not. @returns whether there was anything @throws WeftError while somebody builds it */
export function removeLab(name: string): boolean {
  return locked(LOCK, () => {
    checkNotBeingBuilt(name);
    return removeWhatIsLeft(name);
  });
}

/** Removes labs that are not complete and whose builders are gone. @returns the prefixes of their namespaces */
export function removeAbandoned(): string[] {
  if (!labNames().some(isAbandoned)) return [];
  return locked(LOCK, () => {
    const names = labNames().filter(isAbandoned);
    for (const name of names) removeWhatIsLeft(name);
    return names.map(labPrefix);
  });
}

function isAbandoned(name: string): boolean {
  const builder = recorded(join(labFolder(name), PROCESS_FILE));
  return !isStanding(name) && builder !== undefined && !isAlive(builder);
}

function removeWhatIsLeft(name: string): boolean {
  const there = existsSync(labFolder(name)) || namespacesOf(labPrefix(name)).length > 0;
  if (there) removeAll(labPrefix(name), [labFolder(name)]);
  return there;
}
