/**
 * The API: JSON over HTTP on the node's unix socket (client.ts asks). Checks requests, answers with what the service
 * returns as it is; errors as {"error": {"code", "message"}}. Who may connect may do everything: see socket-file.ts.
 */
import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { z } from 'zod';
import { decodeCall } from '../cni/call-bytes.ts';
import type { Log } from '../cni/host.ts';
import type { Call } from '../cni/plugin/call.ts';
import {
  attachRequest,
  bgpClearRequest,
  bgpDumpQuery,
  bgpEnableRequest,
  bgpRecordQuery,
  bgpRoutesQuery,
  bgpShutdownRequest,
  bgpWhyQuery,
  cniCall,
  detachRequest,
  ipamCheckRequest,
  ipamReleaseRequest,
  noQuery,
  readRequest,
  routesQuery,
  whyRequest,
} from './api-requests.ts';
import { codeOf, WeftError } from './errors.ts';
import type { NodeService } from './service.ts';

export interface Api {
  /** Answers what it has begun to answer; the socket is gone then. */
  close(): Promise<void>;
}

/** The largest request of a command by far is a dozen addresses. */
const BODY_LIMIT = 64 * 1024;
/** A list of every pod of a node (GC), or the results of a long chain of plugins. */
const CNI_BODY_LIMIT = 8 * 1024 * 1024;
/** How long a request under way may still take when the node stops, or a client that asks nothing. */
const CLOSE_PATIENCE_MS = 1000;

/** @param listen where: see socket-file.ts */
export async function openApi(
  service: NodeService,
  listen: (server: Server) => Promise<void>,
  log: Log,
): Promise<Api> {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply, log),
    clientErrorHandler: (error, socket) => void socket.end(notHttp(error)),
  });
  const read = <T>(path: string, answer: (query: unknown) => Promise<T>) =>
    app.get(`/v1/${path}`, ({ query }) => answer(query));
  const plain = <T>(path: string, answer: () => Promise<T>) =>
    read(path, (query) => {
      readRequest(noQuery, query);
      return answer();
    });
  plain('status', () => service.status());
  plain('pods', () => service.pods());
  plain('tunnels', () => service.tunnels());
  plain('ipam', () => service.ipam());
  plain('drops', () => service.drops());
  plain('bgp', () => service.bgp());
  plain('bgp/bmp', () => service.bgpStations());
  plain('routes/check', () => service.routesCheck());
  read('bgp/why', (query) => service.bgpWhy(readRequest(bgpWhyQuery, query).prefix));
  const list = (path: string, answer: (query: unknown) => AsyncIterable<readonly unknown[]>) =>
    app.get(`/v1/${path}`, ({ query }, reply) =>
      reply.type('application/json').send(Readable.from(jsonList(answer(query)))),
    );
  list('routes', (query) => service.routes(readRequest(routesQuery, query).address));
  list('bgp/routes', (query) => service.bgpRoutes(readRequest(bgpRoutesQuery, query)));
  app.get('/v1/bgp/record', async ({ query }, reply) =>
    download(reply, service.bgpRecord(readRequest(bgpRecordQuery, query))),
  );
  app.get('/v1/bgp/dump', async ({ query }, reply) =>
    download(reply, service.bgpDump(readRequest(bgpDumpQuery, query))),
  );
  const order = <T>(path: string, schema: z.ZodType<T>, carryOut: (request: T) => Promise<void>) =>
    app.post(`/v1/${path}`, async ({ body }, reply) => {
      await carryOut(readRequest(schema, body));
      return reply.code(204).send();
    });
  order('bgp/clear', bgpClearRequest, (request) => service.bgpClear(request));
  order('bgp/shutdown', bgpShutdownRequest, (request) => service.bgpShutdown(request));
  order('bgp/enable', bgpEnableRequest, (request) => service.bgpEnable(request));
  app.post('/v1/why', ({ body }) => service.why(readRequest(whyRequest, body)));
  app.post('/v1/attach', ({ body }) => service.attach(readRequest(attachRequest, body)));
  app.post('/v1/detach', async ({ body }, reply) => {
    await service.detach(readRequest(detachRequest, body));
    return reply.code(204).send();
  });
  app.post('/v1/ipam/check', ({ body }) => service.ipamCheck(readRequest(ipamCheckRequest, body).fix));
  app.post('/v1/ipam/release', async ({ body }, reply) => {
    await service.ipamRelease(readRequest(ipamReleaseRequest, body));
    return reply.code(204).send();
  });
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer' },
    async (_: unknown, body: unknown) => body,
  );
  app.post('/v1/cni', { bodyLimit: CNI_BODY_LIMIT }, async ({ body }, reply) => {
    const { failed, later, output } = await service.cni(readCall(body), goneOf(reply));
    // To the client the status is whether it fails, and whether it may try again; the body is what it prints.
    if (output === undefined) return reply.code(204).send();
    return reply.code(later ? 503 : failed ? 422 : 200).send(output);
  });
  app.setNotFoundHandler((request) => {
    throw new WeftError('not-found', `${request.method} ${request.url}: there is no such request`);
  });
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(error, request, reply, log));
  await app.ready();
  await listen(app.server);
  return {
    async close() {
      const timer = setTimeout(() => app.server.closeAllConnections(), CLOSE_PATIENCE_MS);
      await app.close();
      clearTimeout(timer);
    },
  };
}

/** One JSON document, however long: never whole in memory. */
async function* jsonList(parts: AsyncIterable<readonly unknown[]>): AsyncGenerator<string> {
  let separator = '[';
  for await (const part of parts) {
    if (part.length === 0) continue;
    yield `${separator}${part.map((item) => JSON.stringify(item)).join(',')}`;
    separator = ',';
  }
  yield separator === '[' ? '[]' : ']';
}

/** What cannot be had is refused as any request is: the first piece decides. */
async function download(reply: FastifyReply, parts: AsyncIterable<Uint8Array>): Promise<FastifyReply> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      for (let part = first; !part.done; part = await iterator.next())
        if (part.value.length > 0) yield part.value;
    } finally {
      await iterator.return?.();
    }
  }
  return reply.type('application/octet-stream').send(Readable.from(all(), { objectMode: false }));
}

/** Aborted when the connection ends before the answer is written. */
function goneOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.socket?.destroyed) gone.abort();
  raw.once('close', () => {
    if (!raw.writableEnded) gone.abort();
  });
  return gone.signal;
}

/** From the thin client as bytes, from others as JSON. */
function readCall(body: unknown): Call {
  if (!Buffer.isBuffer(body)) return readRequest(cniCall, body);
  const call = decodeCall(body);
  if (call) return call;
  throw new WeftError('invalid', 'the body is no call of the CNI plugin');
}

function notHttp({ message }: Error): string {
  const body = JSON.stringify({ error: { code: 'invalid', message } });
  const head = ['HTTP/1.1 400 Bad Request', 'Content-Type: application/json', 'Connection: close'];
  return `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** HTTP status by the code of an error; 500 for others. */
const STATUS: Readonly<Record<string, number>> = {
  usage: 400,
  config: 400,
  invalid: 400,
  denied: 403,
  'not-found': 404,
  exists: 409,
  'in-use': 409,
  namespace: 422,
  address: 422,
  interface: 422,
  unsupported: 501,
  stopping: 503,
};

function answerError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): FastifyReply {
  const answer = (status: number, code: string, message: string) =>
    reply.code(status).send({ error: { code, message } });
  // Of fastify itself: a body that is no JSON, too large, of another type.
  if (error.statusCode !== undefined && error.statusCode < 500)
    return answer(error.statusCode, 'invalid', error.message);
  const code = codeOf(error);
  if (code !== undefined) return answer(STATUS[code] ?? 500, code, error.message);
  log.error({ err: error, request: `${request.method} ${request.url}` }, 'a request failed');
  return answer(500, 'failed', `${error.message} (unexpected; the daemon's log has more)`);
}
