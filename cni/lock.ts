/** Keeps a state folder to one process, with a lock on `<folder>/lock` that goes when the process ends, however it ends. */
import { closeSync, ftruncateSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '../sys/file-lock.ts';

export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
  readonly code = 'in-use';
}

/** Taken until the returned function is called, which may be repeated. Throws FolderInUse, naming the holder, when another process has the folder. */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock');
  const fd = tryLock(path);
  if (fd === undefined) {
    const holder = readFileSync(path, 'utf8').trim();
    throw new FolderInUse(
      `${folder} is in use by another weft node (process ${holder || 'unknown'}); stop it, or give this one a 'state' of its own`,
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  let held = true;
  return () => {
    if (held) closeSync(fd);
    held = false;
  };
}
