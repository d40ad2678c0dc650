/**
 * Asks the daemon: JSON over HTTP on its unix socket. Everything that commands need of a running node goes through here;
 * imports nothing that takes time to load.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { codeOf, WeftError } from './errors.ts';

/** Requests of the API; results are those of service.ts, bodies as api-requests.ts reads them. */
export type ApiPath =
  | 'status'
  | 'attach'
  | 'detach'
  | 'pods'
  | 'routes'
  | 'tunnels'
  | 'drops'
  | 'why'
  | 'routes/check'
  | 'bgp'
  | 'bgp/routes'
  | 'bgp/why'
  | 'bgp/bmp'
  | 'bgp/record'
  | 'bgp/dump'
  | 'bgp/clear'
  | 'bgp/shutdown'
  | 'bgp/enable'
  | 'ipam'
  | 'ipam/check'
  | 'ipam/release';

export interface Client {
  /** Rejects with WeftError 'unreachable' when no daemon answers, or with the code and message that the daemon gives. */
  get<T>(path: ApiPath, query?: Readonly<Record<string, string>>): Promise<T>;
  post<T>(path: ApiPath, body: unknown): Promise<T>;
  /** Of what is not JSON, once the daemon has agreed to send it; takes its time. */
  download(path: ApiPath, query?: Readonly<Record<string, string>>): Promise<Readable>;
}

export { DEFAULT_SOCKET } from '../cni/socket.ts';

/** How long the daemon may take: attaching waits for what is before it on the same name. */
const PATIENCE_MS = 30_000;

/** @param socket path of the unix socket */
export function openClient(socket: string): Client {
  return {
    get: async <T>(path: ApiPath, query?: Readonly<Record<string, string>>) =>
      (await read(socket, await exchange(socket, 'GET', urlOf(path, query)))) as T,
    post: async <T>(path: ApiPath, body: unknown) =>
      (await read(socket, await exchange(socket, 'POST', urlOf(path), JSON.stringify(body)))) as T,
    async download(path, query) {
      const response = await exchange(socket, 'GET', urlOf(path, query));
      response.socket.setTimeout(0);
      if (response.statusCode !== 200) await read(socket, response);
      return response;
    },
  };
}

function urlOf(path: ApiPath, query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `/v1/${path}${search && `?${search}`}`;
}

function exchange(socketPath: string, method: string, path: string, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = httpRequest(
      { socketPath, method, path, headers, agent: false, timeout: PATIENCE_MS },
      resolve,
    );
    request.on('timeout', () => {
      const what = `the weft daemon on ${socketPath} did not answer within ${PATIENCE_MS / 1000} s`;
      request.destroy(new WeftError('unreachable', `${what}; see its log`));
    });
    request.on('error', (error) =>
      reject(error instanceof WeftError ? error : unreachable(socketPath, error)),
    );
    request.end(body);
  });
}

async function read(socket: string, response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk);
  } catch (error) {
    throw error instanceof WeftError ? error : unreachable(socket, error as Error);
  }
  return interpret(socket, response.statusCode ?? 0, Buffer.concat(chunks).toString());
}

function interpret(socket: string, status: number, text: string): unknown {
  if (status === 204) return undefined;
  const answer = parseJson(text);
  if (status >= 200 && status < 300 && answer !== undefined) return answer;
  const { error } = (answer ?? {}) as { error?: { code?: unknown; message?: unknown } };
  if (typeof error?.code === 'string' && typeof error.message === 'string') {
    throw new WeftError(error.code, error.message);
  }
  throw new WeftError(
    'protocol',
    `${socket} answered HTTP ${status} with something that is no answer of weft; is it the socket of another program?`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const START = 'start one with: weft node --config FILE';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: `there is no such socket; ${START} (another socket: --socket PATH or $WEFT_SOCKET)`,
  ECONNREFUSED: `its daemon has ended; ${START}`,
  EACCES: "not permitted; run as root, or be in the group of the daemon's api.group",
  EPERM: "not permitted; run as root, or be in the group of the daemon's api.group",
  ENOTSOCK: 'that is not a socket; name the one of the daemon with --socket PATH or $WEFT_SOCKET',
  ECONNRESET: 'the daemon ended before it answered; see its log',
};

function unreachable(socket: string, cause: Error): WeftError {
  const code = codeOf(cause) ?? '';
  const why = REASONS[code] ?? `${cause.message}; ${START}`;
  return new WeftError('unreachable', `cannot reach the weft daemon on ${socket}: ${why}`, { cause });
}
