/** Plays libcni: executes the plugin with the environment and the configuration that a runtime would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { compiled } from './compiled.ts';

export interface CniCall {
  readonly socket: string;
  readonly id?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  /** Over the usual configuration. */
  readonly config?: object;
  /** In place of the configuration. */
  readonly stdin?: string;
  /** The executable and its arguments; by default the client as it is compiled. */
  readonly command?: readonly string[];
  readonly path?: string;
}

export interface CniResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What is on stdout, undefined when that is nothing. */
  readonly output: CniOutput | undefined;
  readonly milliseconds: number;
}

/** A result or an error; what is not there is undefined. */
export interface CniOutput {
  readonly cniVersion: string;
  readonly code?: number;
  readonly msg?: string;
  readonly interfaces?: readonly { readonly name: string; readonly mac: string; readonly sandbox: string }[];
  readonly ips?: readonly { readonly address: string; readonly gateway?: string }[];
  readonly supportedVersions?: readonly string[];
}

export function beginCni(verb: string, call: CniCall): { child: ChildProcess; ended: Promise<CniResult> } {
  const { socket, id = 'c1', netns = '', ifname = 'eth0', args = '', config = {} } = call;
  const [command, ...rest] = call.command ?? [process.execPath, join(compiled(), 'cni/client.js')];
  const began = performance.now();
  const child = spawn(command, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      CNI_COMMAND: verb,
      CNI_PATH: call.path ?? '/opt/cni/bin',
      ...(!['GC', 'STATUS', 'VERSION'].includes(verb) && {
        CNI_CONTAINERID: id,
        CNI_NETNS: netns,
        CNI_IFNAME: ifname,
        CNI_ARGS: args,
      }),
    },
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  child.stdin.on('error', () => {}); // It may have ended without reading.
  child.stdin.end(
    call.stdin ??
      JSON.stringify({ cniVersion: '1.1.0', name: 'fabric', type: 'weft-cni', socket, ...config }),
  );
  const ended = new Promise<CniResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      const output = written.stdout === '' ? undefined : JSON.parse(written.stdout);
      resolve({ status, ...written, output, milliseconds: performance.now() - began });
    });
  });
  return { child, ended };
}

export const cni = (verb: string, call: CniCall): Promise<CniResult> => beginCni(verb, call).ended;
