/** A lock seen by other processes: held by one at a time, free when its holder ends. */
import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { locked, tryLock } from '../../sys/file-lock.ts';

const run = promisify(execFile);
const MODULE = resolve(import.meta.dirname, '../../dist/sys/file-lock.js');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), `weft${process.pid}-lock-`));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inAnotherProcess = async (body: string): Promise<string> => {
  const program = `import { locked, tryLock } from ${JSON.stringify(MODULE)};
    import { appendFileSync } from 'node:fs';
    ${body}`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  return stdout.trim();
};

it('has one holder; the next has it when the first lets go or ends', async () => {
  const path = join(folder, 'one');
  const other = `console.log(tryLock(${JSON.stringify(path)}) !== undefined)`;
  const fd = tryLock(path);
  expect(tryLock(path)).toBeUndefined();
  expect(await inAnotherProcess(other)).toBe('false');
  closeSync(fd as number);
  expect(await inAnotherProcess(other)).toBe('true');
  const again = tryLock(path);
  expect(again).toBeTypeOf('number');
  closeSync(again as number);
});

it('what is done under it is done by one after the other', async () => {
  const [lock, log] = [join(folder, 'two'), join(folder, 'log')];
  const work = `for (let turn = 0; turn < 20; turn++) locked(${JSON.stringify(lock)}, () => {
      appendFileSync(${JSON.stringify(log)}, 'begin ');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      appendFileSync(${JSON.stringify(log)}, 'end\\n');
    });`;
  await Promise.all([work, work, work].map(inAnotherProcess));
  expect(readFileSync(log, 'utf8')).toBe('begin end\n'.repeat(60));
});

it('is free again after work that throws', () => {
  const path = join(folder, 'three');
  const failing = (): unknown => {
    throw new Error('no');
  };
  expect(() => locked(path, failing)).toThrow('no');
  expect(locked(path, () => 'yes')).toBe('yes');
});

it('says what cannot be locked', () => {
  expect(() => tryLock(join(folder, 'missing', 'file'))).toThrow(/ENOENT/);
});
