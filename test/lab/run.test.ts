// A run's names are its own; nothing stays of it when it ends, fails, is interrupted or killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Namespace } from '../../lab/namespace.ts';
import { isAlive, type Process, processOf, record } from '../../lab/processes.ts';
import { Run, sweep } from '../../lab/run.ts';
import { compiled } from '../support/compiled.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Namespaces and folders of runs with this prefix. */
const remains = (prefix: string): string[] =>
  ['/run/netns', tmpdir()].flatMap((folder) => readdirSync(folder)).filter((name) => name.startsWith(prefix));

function begin(): Run {
  const run = new Run();
  undo.push(() => run.close());
  return run;
}

it('names that no other run has', () => {
  const [first, second] = [begin(), begin()];
  expect(first.prefix).toMatch(new RegExp(`^weft${process.pid}(\\.\\d+)?-$`));
  expect(second.prefix).not.toBe(first.prefix);
  const names = [first, second].map((run) => run.namespace('node').name);
  expect(names).toEqual([`${first.prefix}node`, `${second.prefix}node`]);
  expect(first.folder).not.toBe(second.folder);
});

it('nothing stays, also when a step of cleaning up fails', async () => {
  const run = begin();
  const { prefix } = run;
  const sleep = run.namespace('a').start('sleep', ['60'], { stdio: 'ignore' });
  await once(sleep, 'spawn');
  writeFileSync(join(run.folderOf(run.namespace('b')), 'file'), 'of a node');
  const steps: string[] = [];
  run.defer(() => steps.push('first deferred'));
  run.defer(() => {
    throw new Error('does not work');
  });
  run.defer(() => steps.push('last deferred'));
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  await run.close();
  expect(said.mock.calls.flat()).toEqual(['cleaning up: does not work']);
  expect(steps).toEqual(['last deferred', 'first deferred']);
  expect(remains(prefix)).toEqual([]);
  expect(processOf(sleep.pid as number)).toBeUndefined();
  await run.close();
});

interface Owner {
  readonly child: ChildProcess;
  readonly prefix: string;
  /** In a namespace of the run. */
  readonly inside: Process;
}

/** A process of its own with a run that has a namespace with a process in it. */
async function owner(): Promise<Owner> {
  const program = `
    const { Run } = await import(${JSON.stringify(`file://${compiled()}/lab/run.js`)});
    const run = new Run();
    const child = run.namespace('a').start('sleep', ['60'], { stdio: 'ignore' });
    child.once('spawn', () => console.log(JSON.stringify([run.prefix, child.pid])));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undo.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  const [line] = await once(child.stdout, 'data');
  const [prefix, pid] = JSON.parse(String(line));
  const inside = processOf(pid) as Process;
  expect(remains(prefix)).toHaveLength(2);
  // nsenter enters before it becomes the command.
  await expect.poll(() => Namespace.named(`${prefix}a`).pids()).toEqual([pid]);
  return { child, prefix, inside };
}

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('nothing stays after %s', async (signal) => {
  const { child, prefix, inside } = await owner();
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([null, signal]);
  expect(remains(prefix)).toEqual([]);
  expect(isAlive(inside)).toBe(false);
});

it('what a killed run has left is swept by the next', async () => {
  const { child, prefix, inside } = await owner();
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(remains(prefix)).toHaveLength(2);
  expect(isAlive(inside)).toBe(true);
  begin();
  expect(remains(prefix)).toEqual([]);
  expect(isAlive(inside)).toBe(false);
});

it('a run that lives is left alone', async () => {
  const { prefix, inside } = await owner();
  expect(sweep()).not.toContain(prefix);
  expect(remains(prefix)).toHaveLength(2);
  expect(isAlive(inside)).toBe(true);
});

describe('a pid that belongs to another process by now', () => {
  /** What looks like a run of a living process that has nothing to do with it. */
  function stranger(): { prefix: string; folder: string; process: Process } {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const prefix = `weft${child.pid}-`;
    const folder = mkdtempSync(join(tmpdir(), prefix));
    Namespace.create(`${prefix}a`);
    undo.push(() => {
      child.kill('SIGKILL');
      if (existsSync(`/run/netns/${prefix}a`)) Namespace.named(`${prefix}a`).delete();
      rmSync(folder, { recursive: true, force: true });
    });
    return { prefix, folder, process: processOf(child.pid as number) as Process };
  }

  it('does not keep the run of a process that is gone', () => {
    const { prefix, folder, process: living } = stranger();
    writeFileSync(join(folder, 'process'), `${living.pid} ${Number(living.start) - 1}\n`);
    expect(sweep()).toContain(prefix);
    expect(remains(prefix)).toEqual([]);
    expect(isAlive(living)).toBe(true);
  });

  it('is not ended in place of a node', () => {
    const { prefix, folder, process: living } = stranger();
    writeFileSync(join(folder, 'process'), `${living.pid} ${Number(living.start) - 1}\n`);
    mkdirSync(join(folder, `${prefix}a`));
    writeFileSync(join(folder, `${prefix}a`, 'process'), `${living.pid} ${Number(living.start) - 1}\n`);
    sweep();
    expect(remains(prefix)).toEqual([]);
    expect(isAlive(living)).toBe(true);
  });

  it('is taken for the owner as long as nothing says otherwise', () => {
    const { prefix, folder, process: living } = stranger();
    expect(sweep()).not.toContain(prefix); // The owner has not recorded itself yet.
    record(join(folder, 'process'), living.pid);
    expect(sweep()).not.toContain(prefix);
    expect(remains(prefix)).toHaveLength(2);
  });
});
