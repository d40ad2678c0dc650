/**
 * What a run leaves on the machine, and how it is taken away: processes, namespaces (with all interfaces and nftables tables
 * in them), folders. Everything in a namespace goes with it; nothing is ever made outside of them but the folders.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { end, processesIn, recorded } from './processes.ts';

export const NETNS_FOLDER = '/run/netns';
/** In the folder of a run or of one of its nodes: the process that made the run, or that is the node. */
export const PROCESS_FILE = 'process';

/** Processes that are told to end may have started others. */
const ROUNDS = 3;

/** @param prefix of the namespaces' names @param folders with everything in them */
export function removeAll(prefix: string, folders: readonly string[]): void {
  const names = namespacesOf(prefix);
  const paths = names.map((name) => join(NETNS_FOLDER, name));
  end(folders.flatMap(processesOfNodes));
  for (let round = 0; round < ROUNDS; round++) {
    const found = processesIn(paths);
    if (found.length === 0) break;
    end(found);
  }
  for (const name of names) removeNamespace(name);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

export const namespacesOf = (prefix: string): string[] =>
  list(NETNS_FOLDER).filter((name) => name.startsWith(prefix));

/** Those that were recorded: they are found even when somebody has deleted their namespace's name. */
const processesOfNodes = (folder: string) =>
  list(folder)
    .map((name) => recorded(join(folder, name, PROCESS_FILE)))
    .filter((one) => one !== undefined);

function removeNamespace(name: string): void {
  try {
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
  } catch {
    rmSync(join(NETNS_FOLDER, name), { force: true }); // The name of one that is gone, or half made.
  }
}

/** Names in a folder; none when there is no such folder. */
export function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
