/**
 * The file of the API's unix socket: who may connect is who may open it, so it is never more open than it shall be, not
 * for a moment. A file that a daemon has left is replaced, the socket of a living one is not.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { codeOf, WeftError } from './errors.ts';

export interface SocketFileOptions {
  /** Absolute path. */
  readonly socket: string;
  /** Name or number of the group that may connect too. */
  readonly group: string | number | undefined;
}

/**
 * Checks what can be checked before there is anything to listen for, and changes nothing. Resolves with the function that
 * makes a server listen there.
 * @throws WeftError 'in-use', 'denied' or 'failed'
 */
export async function prepareSocket(options: SocketFileOptions): Promise<(server: Server) => Promise<void>> {
  const { socket, group } = options;
  const gid = group === undefined ? undefined : groupId(group);
  await checkFree(socket);
  return async (server) => {
    try {
      mkdirSync(dirname(socket), { recursive: true, mode: 0o755 });
      if (await checkFree(socket)) unlinkSync(socket);
      await listenPrivately(server, socket);
      if (gid === undefined) return;
      chownSync(socket, -1, gid);
      chmodSync(socket, 0o660);
    } catch (error) {
      throw error instanceof WeftError ? error : unusable(socket, error as Error);
    }
  };
}

/** Binding is done before `listen` returns, so the mask holds for this file only. */
function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** @returns whether there is a socket that nobody listens on @throws WeftError when there is anything else */
async function checkFree(path: string): Promise<boolean> {
  let isSocket: boolean;
  try {
    const file = lstatSync(path, { throwIfNoEntry: false });
    if (!file) return false;
    isSocket = file.isSocket();
  } catch (error) {
    throw unusable(path, error as Error);
  }
  if (!isSocket) {
    throw new WeftError(
      'failed',
      `api.socket: ${path} is there and is no socket; remove it, or choose another`,
    );
  }
  const refusal = await tryConnect(path);
  if (refusal === 'ECONNREFUSED' || refusal === 'ENOENT') return refusal === 'ECONNREFUSED';
  throw new WeftError(
    'in-use',
    `api.socket: ${path} is in use by another daemon; stop it first, or give this one an api.socket of its own`,
  );
}

/** The code of the error, undefined when connected. */
function tryConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const connection = connect(path);
    connection.once('connect', () => {
      connection.destroy();
      resolve(undefined);
    });
    connection.once('error', (error) => resolve(codeOf(error)));
  });
}

/** From the databases that the machine is set up with (nsswitch.conf), which Node does not ask. */
function groupId(group: string | number): number {
  if (typeof group === 'number') return group;
  try {
    const entry = execFileSync('getent', ['group', group], { encoding: 'utf8', stdio: 'pipe' });
    return Number(entry.split(':')[2]);
  } catch (error) {
    throw new WeftError(
      'failed',
      `api.group: there is no group '${group}' on this machine; make it (groupadd --system ${group}), or leave it out`,
      { cause: error },
    );
  }
}

function unusable(path: string, cause: Error): WeftError {
  const code = codeOf(cause) === 'EACCES' ? 'denied' : 'failed';
  return new WeftError(code, `api.socket: ${path} cannot be used: ${cause.message}`, { cause });
}
