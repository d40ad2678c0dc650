/** Processes that say when they are ready, and print one JSON line when they are done. */
import type { ChildProcess } from 'node:child_process';
import type { Namespace } from '../../lab/namespace.ts';

const PATIENCE_MS = 10_000;

/** Starts a command and resolves when it has printed its first line. @throws Error with what it said when it ends instead */
export function startReady(
  namespace: Namespace,
  command: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const child = namespace.start(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command} ${args[0]} was not ready after ${PATIENCE_MS / 1000} s: ${said}`));
    }, PATIENCE_MS);
    child.once('close', (code) => {
      clearTimeout(timer);
      reject(new Error(`${command} ${args[0]} ended with status ${code}: ${said}`));
    });
    child.stdout?.setEncoding('utf8').once('data', () => {
      clearTimeout(timer);
      resolve(child);
    });
  });
}

/** The JSON value that a started process prints last. */
export function lastLine<T>(child: ChildProcess): Promise<T> {
  let text = '';
  child.stdout?.on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      const line = text.trim().split('\n').at(-1);
      if (code === 0 && line) resolve(JSON.parse(line) as T);
      else reject(new Error(`a load process ended with status ${code} and said '${text}'`));
    });
  });
}
