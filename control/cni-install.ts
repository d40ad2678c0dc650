/**
 * Puts the CNI plugin and the network configuration where container runtimes look for them, and takes them away: the
 * plugin first and the configuration last, the other way round on the way out, so that whoever finds the configuration finds
 * what it names. Each appears whole or not at all, also over one that is being executed. Touches nothing that is not Weft's.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thinClient } from '../cni/thin-client/program.ts';
import { codeOf, WeftError } from './errors.ts';

export interface Places {
  /** Folder of plugins. */
  readonly bin: string;
  /** Folder of network configurations. */
  readonly conf: string;
}

export interface Network {
  readonly name: string;
  /** Full path of the daemon's socket. */
  readonly socket: string;
}

export interface Installed {
  readonly plugin: string;
  readonly configuration: string;
}

/** Early in the order of names, by which runtimes choose. */
const CONFLIST = '10-weft.conflist';
const PLUGIN = 'weft-cni';
const MARK = '// The CNI plugin of Weft';

export function installedPaths({ bin, conf }: Places): Installed {
  return { plugin: join(bin, PLUGIN), configuration: join(conf, CONFLIST) };
}

/** @throws WeftError, with the configuration as it was */
export function install(places: Places, network: Network): Installed {
  const paths = installedPaths(places);
  refuseForeign(paths);
  replace(paths.plugin, pluginFile(network.socket), 0o755);
  tryOut(paths.plugin);
  replace(paths.configuration, Buffer.from(`${JSON.stringify(conflist(network), undefined, 2)}\n`), 0o644);
  return paths;
}

/** That there is nothing is no error. @returns what was removed */
export function uninstall(places: Places): string[] {
  const paths = installedPaths(places);
  refuseForeign(paths);
  return [paths.configuration, paths.plugin].filter(remove);
}

/** The version that every runtime in use speaks, and for those that choose, the others that have all its verbs. */
function conflist({ name, socket }: Network): object {
  return {
    cniVersion: '1.0.0',
    cniVersions: ['0.4.0', '1.0.0', '1.1.0'],
    name,
    plugins: [
      {
        type: PLUGIN,
        socket,
        capabilities: {
          ips: true,
          mac: true,
          dns: true,
          ipRanges: true,
          bandwidth: true,
          portMappings: true,
        },
      },
    ],
  };
}

/**
 * Runtimes execute it with an environment of their own, so nothing in it is left to PATH. On x86-64 an executable that needs
 * Node only when something is out of the ordinary: that is 50 ms less a call.
 */
function pluginFile(socket: string): Uint8Array {
  const client = fileURLToPath(new URL(`../cni/client${extname(import.meta.url)}`, import.meta.url));
  const node = process.execPath;
  if (process.arch === 'x64') return thinClient({ socket, node, client, mark: MARK });
  return Buffer.from(`#!${node}
${MARK} (weft cni install): passes what a container runtime asks on to the daemon.
import(${JSON.stringify(client)});
`);
}

function tryOut(plugin: string): void {
  try {
    const env = { CNI_COMMAND: 'VERSION' };
    const answer = execFileSync(plugin, { env, input: '{}', encoding: 'utf8', stdio: 'pipe' });
    if (!Array.isArray(JSON.parse(answer).supportedVersions)) throw new Error(`it answers ${answer}`);
  } catch (error) {
    throw new WeftError('failed', `${plugin} does not run here: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function refuseForeign({ plugin, configuration }: Installed): void {
  for (const [path, mark] of [
    [plugin, MARK],
    [configuration, `"${PLUGIN}"`],
  ]) {
    if (read(path)?.includes(mark) === false) {
      throw new WeftError(
        'failed',
        `${path} is not of weft; remove it, or choose another folder (--bin, --conf)`,
      );
    }
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable(path, error as Error);
  }
}

/** A new file under the old name: one that is being executed can be replaced, but not written. */
function replace(path: string, content: Uint8Array, mode: number): void {
  const temporary = join(dirname(path), `.${PLUGIN}-${process.pid}.new`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const file = openSync(temporary, 'w', mode);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unusable(path, error as Error);
  }
}

function remove(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw unusable(path, error as Error);
  }
}

function unusable(path: string, cause: Error): WeftError {
  const code = codeOf(cause) === 'EACCES' ? 'denied' : 'failed';
  return new WeftError(code, `${path} cannot be used: ${cause.message}`, { cause });
}
