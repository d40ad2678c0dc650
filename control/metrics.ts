/**
 * The node's counters for Prometheus: text at http://LISTEN/metrics, read from the service when it is asked for and at no
 * other time. Who can connect can read; nothing can be changed.
 */
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Log } from '../cni/host.ts';
import type { ListenAddress } from './config/node-config.ts';
import { codeOf, WeftError } from './errors.ts';
import { definitions } from './metric-definitions.ts';
import type { MetricsSnapshot, NodeService } from './service.ts';

export interface MetricsOptions {
  readonly listen: ListenAddress;
  /** Labels of `weft_info`. */
  readonly node: string;
  readonly version: string;
  readonly log: Log;
}

export interface Metrics {
  /** From now on there is something to answer; before, it is 503. */
  serve(service: Pick<NodeService, 'metrics'>): void;
  close(): Promise<void>;
}

const PATH = '/metrics';

/** @throws WeftError naming the setting when the address cannot be listened on */
export async function openMetrics({ listen, node, version, log }: MetricsOptions): Promise<Metrics> {
  let service: Pick<NodeService, 'metrics'> | undefined;
  const render = renderer({ node, version });
  const server = createServer(async ({ url, method }, response) => {
    const refuse = (status: number, why: string) =>
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`${why}\n`);
    if (url?.split('?')[0] !== PATH) return refuse(404, `the metrics are at ${PATH}`);
    if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'the metrics can be read only');
    if (!service) return refuse(503, 'the node does not forward yet');
    try {
      const { type, text } = await render(await service.metrics());
      response.writeHead(200, { 'content-type': type }).end(text);
    } catch (error) {
      log.error({ err: error }, 'the metrics could not be read');
      refuse(500, 'see the log of the node');
    }
  });
  await listenOn(server, listen);
  return {
    serve(given) {
      service = given;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function renderer(info: { readonly node: string; readonly version: string }) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({ name: 'weft_info', help: 'Always 1.', labelNames: Object.keys(info), registers }).set(info, 1);
  const metrics = definitions.map(({ type, name, help, labels, read }) => {
    const options = { name, help, labelNames: labels, registers };
    return { metric: type === 'counter' ? new Counter(options) : new Gauge(options), read };
  });
  return async (snapshot: MetricsSnapshot) => {
    for (const { metric, read } of metrics) {
      metric.reset(); // A pod that is gone is not shown any more, and the counters are the engine's own.
      for (const [labels, value] of read(snapshot)) metric.inc(labels, value);
    }
    return { type: registry.contentType, text: await registry.metrics() };
  };
}

function listenOn(server: Server, { host, port }: ListenAddress): Promise<void> {
  const where = `metrics.listen: ${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const { code = 'failed', problem = cause.message } = PROBLEMS[codeOf(cause) ?? ''] ?? {};
      reject(new WeftError(code, `${where} ${problem}`, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
}

const PROBLEMS: Readonly<Record<string, { readonly code: string; readonly problem: string }>> = {
  EADDRINUSE: {
    code: 'in-use',
    problem: 'is in use by another program (ss -ltnp); stop that, or choose another port',
  },
  EADDRNOTAVAIL: { code: 'failed', problem: 'is not an address of this node; see them: ip address' },
  EACCES: { code: 'denied', problem: 'is not permitted; choose a port from 1024 on, or run weft as root' },
};
