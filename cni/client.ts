/**
 * The plugin as runtimes execute it: passes environment and stdin to the daemon and prints what it answers. What has to be
 * answered without a daemon is answered here:
 *
 *   VERSION   always
 *   ADD       waits for one that is restarting, then 11 (try again later)
 *   DEL       is spooled for the next one, and succeeds
 *   STATUS    50 (cannot serve ADD)         CHECK, GC   11
 *
 * Node's own start is most of what an execution costs, so only what is needed is imported, and HTTP is spoken by hand.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { TOKEN_VARIABLE } from './call-bytes.ts';
import type { Call } from './plugin/call.ts';
import { CniCode, CniError, errorAnswer } from './plugin/error.ts';
import { type Verb, verbOf } from './plugin/verb.ts';
import { versionAnswer } from './plugin/version.ts';
import { DEFAULT_SOCKET } from './socket.ts';

/** How long ADD waits for a daemon: a restart takes one or two seconds. Milliseconds. */
const WAIT = 10_000;
const WAIT_STEP = 50;
/** How long a daemon that has taken the request may take to answer it. */
const PATIENCE = 30_000;

interface Reply {
  readonly status: number;
  readonly body: string;
}

interface Configuration {
  readonly cniVersion?: unknown;
  readonly socket?: unknown;
}

async function main(): Promise<void> {
  let config: Configuration = {};
  try {
    const verb = verbOf(process.env);
    const stdin = readFileSync(0, 'utf8');
    if (verb === 'VERSION') return print(versionAnswer(lenient(stdin).cniVersion));
    config = parse(stdin);
    const reply = await answerOf(verb, stdin, socketOf(config));
    if (reply.body !== '') process.stdout.write(`${reply.body}\n`);
    process.exitCode = reply.status < 300 ? 0 : 1;
  } catch (error) {
    const failure =
      error instanceof CniError ? error : new CniError(CniCode.failed, (error as Error).message);
    print(errorAnswer(failure, config.cniVersion));
    process.exitCode = 1;
  }
}

const DONE: Reply = { status: 204, body: '' };

async function answerOf(verb: Verb, stdin: string, socket: string): Promise<Reply> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[0].startsWith('CNI_')),
  );
  // In every attempt the same, so that one whose answer was lost is not taken for a second ADD.
  const call: Call = {
    env,
    stdin,
    token: process.env[TOKEN_VARIABLE] ?? `${process.pid}-${process.hrtime.bigint()}`,
  };
  const body = JSON.stringify(call);
  const end = performance.now() + (verb === 'ADD' ? WAIT : 0);
  for (;;) {
    const result = await ask(socket, body).catch((error: NodeJS.ErrnoException) => error);
    // 503: it is stopping. Any other answer is the answer.
    if (!(result instanceof Error) && result.status !== 503) return known(result, socket);
    if (verb === 'DEL') {
      const { spool, spoolFolder } = await import('./spool.ts');
      spool(spoolFolder(socket), call);
      return DONE;
    }
    const isRefusal = result instanceof Error && (result.code === 'EACCES' || result.code === 'EPERM');
    if (isRefusal || performance.now() >= end) {
      if (!(result instanceof Error)) return result;
      throw new CniError(
        verb === 'STATUS' ? CniCode.unavailable : CniCode.tryAgainLater,
        `cannot reach the weft daemon on ${socket}: ${result.message}; start it with: weft node --config FILE`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP));
  }
}

/** 200 and 204: done, 422: failed, with the error to print. Else it is no answer to this request. */
function known(reply: Reply, socket: string): Reply {
  if ([200, 204, 422].includes(reply.status)) return reply;
  throw new CniError(
    CniCode.failed,
    `${socket} answered HTTP ${reply.status}; is it the socket of another program?`,
    {
      details: reply.body,
    },
  );
}

/** Rejects when there is no daemon, or when it ends before it has answered. */
function ask(socket: string, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const connection = connect(socket);
    connection.setTimeout(PATIENCE, () => {
      connection.destroy(new Error(`it did not answer within ${PATIENCE / 1000} s`));
    });
    connection.on('error', reject);
    connection.on('data', (chunk) => chunks.push(chunk));
    connection.on('close', () => {
      const reply = readReply(Buffer.concat(chunks).toString());
      if (reply) resolve(reply);
      else reject(new Error('it ended before it answered'));
    });
    const head = [
      'POST /v1/cni HTTP/1.1',
      'Host: weft',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ];
    connection.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}

/** Undefined unless it is all there. */
function readReply(text: string): Reply | undefined {
  const at = text.indexOf('\r\n\r\n');
  if (at < 0) return undefined;
  const head = text.slice(0, at);
  const body = text.slice(at + 4);
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  return Number.isNaN(status) || Buffer.byteLength(body) !== length ? undefined : { status, body };
}

function socketOf({ socket }: Configuration): string {
  if (socket === undefined || socket === '') return DEFAULT_SOCKET;
  if (typeof socket === 'string' && socket.startsWith('/')) return socket;
  throw new CniError(
    CniCode.invalidConfig,
    `socket: ${JSON.stringify(socket)} is not valid; expected the full path of the daemon's socket`,
  );
}

function parse(stdin: string): Configuration {
  try {
    return Object(JSON.parse(stdin));
  } catch (error) {
    throw new CniError(CniCode.decoding, 'the network configuration on stdin is not valid JSON', {
      details: (error as Error).message,
    });
  }
}

/** VERSION is answered whatever is on stdin. */
function lenient(stdin: string): Configuration {
  try {
    return Object(JSON.parse(stdin));
  } catch {
    return {};
  }
}

function print(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

await main();
