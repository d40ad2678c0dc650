/** Linux perf, where it is installed: samples of a process's stacks, kernel, libraries and JavaScript in one. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { type Stacks, stacksOfPerf } from './stacks.ts';

/** Odd, so as not to beat in time with what happens a thousand times a second. */
const HERTZ = 499;
/** Of `perf script`, bytes. */
const MOST_OUTPUT = 1 << 30;

/** Arguments of Node that make V8 tell perf what it compiles, and how calls of interpreted functions look like calls. */
export const PERF_ARGUMENTS = ['--perf-basic-prof', '--interpreted-frames-native-stack'] as const;

/** Where V8 writes what it compiled. */
export const mapFile = (pid: number): string => `/tmp/perf-${pid}.map`;

/** Why perf cannot be used here; undefined when it can. */
export function perfMissing(): string | undefined {
  const { status, error, stderr } = spawnSync(
    'perf',
    ['record', '--quiet', '--event', 'cpu-clock', '--output', '/dev/null', '--', 'true'],
    { encoding: 'utf8' },
  );
  if (error) return 'perf is not installed (Debian: apt-get install linux-perf)';
  return status === 0 ? undefined : `perf does not work here: ${stderr.trim().split('\n').at(-1)}`;
}

/** Samples a process until the returned function is called, which gives the stacks. @param file written on the way */
export async function recordPerf(pid: number, file: string): Promise<() => Promise<Stacks>> {
  const what = ['--event', 'cpu-clock', '--freq', String(HERTZ), '--call-graph', 'fp', '--pid', String(pid)];
  const child = spawn('perf', ['record', '--quiet', ...what, '--output', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = endOf(child);
  return async () => {
    child.kill('SIGINT');
    await ended;
    const fields = ['--fields', 'comm,tid,ip,sym,dso'];
    const { stdout } = await promisify(execFile)('perf', ['script', '--input', file, ...fields], {
      encoding: 'utf8',
      maxBuffer: MOST_OUTPUT,
    });
    return stacksOfPerf(stdout);
  };
}

async function endOf(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code, signal] = await once(child, 'close');
  // perf ends itself by the signal that it was stopped by.
  if (code !== 0 && signal !== 'SIGINT' && code !== 130)
    throw new Error(`perf record: ${said.trim() || `status ${code}`}`);
}
