// Processes are told apart by pid and start, and only the one that was meant is ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { end, isAlive, type Process, processOf, record, recorded } from '../../lab/processes.ts';

const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), 'weft-processes-'));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(program = 'sleep'): number {
  const child = spawn(program, ['60'], { stdio: 'ignore' });
  children.push(child);
  return child.pid as number;
}

it('knows a process by its start, whatever its name', async () => {
  const name = join(folder, 'a) Z 1 (b');
  copyFileSync('/bin/sleep', name);
  const [plain, odd] = [start(), start(name)];
  await expect.poll(() => processOf(odd)?.start).toMatch(/^\d+$/);
  const ticks = (pid: number): number => Number(processOf(pid)?.start);
  // Started together: within 2 s, at 100 ticks a second.
  expect(Math.abs(ticks(odd) - ticks(plain))).toBeLessThan(200);
  expect(ticks(odd)).toBeGreaterThan(ticks(process.pid));
});

it('ends the process that was meant, and no other that has its pid', () => {
  const pid = start();
  const meant = processOf(pid) as Process;
  const before: Process = { pid, start: String(Number(meant.start) - 1) };
  expect(isAlive(before)).toBe(false);
  end([before]);
  expect(isAlive(meant)).toBe(true);
  end([meant]);
  expect(isAlive(meant)).toBe(false);
});

it('reads what it has recorded, and nothing from a file that is not complete', () => {
  const file = join(folder, 'process');
  record(file, process.pid);
  expect(recorded(file)).toEqual(processOf(process.pid));
  for (const text of ['', `${process.pid}`, `${process.pid} 12`, '0x1 5\n']) {
    writeFileSync(file, text);
    expect(recorded(file), JSON.stringify(text)).toBeUndefined();
  }
  expect(recorded(join(folder, 'none'))).toBeUndefined();
});
