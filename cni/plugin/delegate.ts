/**
 * Addresses from another plugin (`ipam.type`): executes it as the specification wants, with the whole configuration on stdin
 * and the environment of the call (SPEC 1.1.0 section 4). What it gives is reported; whether it is free is its business.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../host.ts';
import type { Call } from './call.ts';
import { CniCode, CniError } from './error.ts';
import type { Verb } from './verb.ts';

/** Longer than any that answers takes; dhcp may wait for a server. Milliseconds. */
const PATIENCE = 60_000;

/** Resolves with what it printed, parsed; undefined when that is nothing. Rejects with the error that it gives. */
export async function runDelegate(type: string, verb: Verb, call: Call, log: Log): Promise<unknown> {
  const path = findPlugin(type, call.env.CNI_PATH ?? '');
  const { status, stdout, stderr } = await execute(path, { ...call.env, CNI_COMMAND: verb }, call.stdin);
  if (stderr !== '') log.info({ ipam: type, verb, stderr }, 'what the IPAM plugin wrote on stderr');
  const output = parse(stdout);
  if (status === 0) {
    if (stdout.trim() === '' || output !== undefined) return output;
    throw new CniError(CniCode.decoding, `${type} ${verb}: its answer is not valid JSON`, {
      details: stdout,
    });
  }
  const { code, msg, details } = (output ?? {}) as { code?: unknown; msg?: unknown; details?: unknown };
  throw new CniError(
    typeof code === 'number' ? code : CniCode.failed,
    `${type} ${verb}: ${typeof msg === 'string' ? msg : stderr.trim() || stdout.trim() || `status ${status}`}`,
    typeof details === 'string' ? { details } : {},
  );
}

function findPlugin(type: string, cniPath: string): string {
  for (const folder of cniPath.split(':').filter((one) => one.startsWith('/'))) {
    const path = join(folder, type);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  throw new CniError(
    CniCode.invalidConfig,
    `ipam.type: there is no plugin ${JSON.stringify(type)} in CNI_PATH (${cniPath || 'empty'}); put it there, or leave 'ipam' out to have Weft's own`,
  );
}

interface Executed {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function execute(path: string, env: Readonly<Record<string, string>>, stdin: string): Promise<Executed> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: PATIENCE,
      killSignal: 'SIGKILL',
    });
    const written = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        written[name] += text;
      });
    }
    child.once('error', (error) => reject(new CniError(CniCode.failed, `${path}: ${error.message}`)));
    child.once('close', (status) => resolve({ status, ...written }));
    child.stdin.on('error', () => {}); // It need not read.
    child.stdin.end(stdin);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
