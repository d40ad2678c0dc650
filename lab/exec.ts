/** `weft lab exec`: a command on a host of a lab, with the terminal, the status and the signals of this process. */
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { WeftError } from '../control/errors.ts';
import { hostsOf, type Lab, type LabHost } from './description.ts';
import { Namespace } from './namespace.ts';
import { weftProgram } from './weft-node.ts';

/** @returns the exit status, as a shell has it */
export async function execute(lab: Lab, hostName: string, words: readonly string[]): Promise<number> {
  const host = findHost(lab, hostName);
  const [command, ...args] = words;
  const child = Namespace.named(host.namespace).start(command, args, {
    stdio: 'inherit',
    env: environment(lab, host),
  });
  // From a terminal the command has them as well, and decides; from kill only this process has.
  const passOn = (signal: NodeJS.Signals): unknown => child.kill(signal);
  const ignore = (): void => {};
  process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', passOn).on('SIGHUP', passOn);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore).off('SIGQUIT', ignore).off('SIGTERM', passOn).off('SIGHUP', passOn);
      resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]);
    });
  });
}

function findHost(lab: Lab, name: string): LabHost {
  const hosts = hostsOf(lab);
  const host = hosts.find((one) => one.name === name);
  if (host) return host;
  const known = hosts.map((one) => one.name).join(', ');
  throw new WeftError('usage', `the lab '${lab.name}' has no '${name}'; it has ${known}`);
}

/** On a Weft node `weft` is this one, and asks that node. */
function environment(lab: Lab, host: LabHost): NodeJS.ProcessEnv {
  const node = lab.nodes.find(({ name }) => name === host.name);
  if (node?.socket === undefined) return process.env;
  const path = [dirname(weftProgram()), process.env.PATH].filter(Boolean).join(delimiter);
  return { ...process.env, PATH: path, WEFT_SOCKET: node.socket };
}
