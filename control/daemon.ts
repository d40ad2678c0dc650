/**
 * `weft node`: a node in the foreground, from the configuration file to the exit status. What a node is, is in node.ts.
 *
 *   SIGTERM, SIGINT: stop, status 0      SIGHUP: read the file again      a worker fails: stop, status 1
 *
 * The socket and the ready line are the last of the start: who sees one of them can rely on all else.
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { openApi } from './api.ts';
import { Cleanup } from './cleanup.ts';
import { loadConfig } from './config.ts';
import { createLog, type Logger, type LogLevel } from './log.ts';
import { openMetrics } from './metrics.ts';
import { startNode } from './node.ts';
import { checkPrivileges } from './preflight.ts';
import type { RunningNode } from './service.ts';
import { prepareSocket } from './socket-file.ts';
import { type Notify, systemdNotifier } from './systemd.ts';
import { readVersion } from './version.ts';

export interface DaemonOptions {
  /** Path of the configuration file, as it is to appear in messages. */
  readonly config: string;
  readonly logLevel: LogLevel;
}

/** Promised is an end within 5 s; what then still hangs is left to the kernel. */
const STOP_PATIENCE_MS = 4500;

/** Resolves with the exit status when the node has stopped. Rejects, with nothing left behind, when it cannot start. */
export async function runDaemon({ config: file, logLevel }: DaemonOptions): Promise<number> {
  const config = loadConfig(file);
  const name = config.node.name ?? hostname();
  const log = createLog(logLevel, name);
  const notify = systemdNotifier(process.env.NOTIFY_SOCKET, log);
  const end = listenForTheEnd(log);
  const hangUps = new HangUps();
  const cleanup = new Cleanup(log);
  try {
    checkPrivileges(); // First: without them other things fail, with less to say.
    const listen = await prepareSocket(config.api);
    const version = readVersion();
    const metrics =
      config.metrics && (await openMetrics({ listen: config.metrics.listen, node: name, version, log }));
    cleanup.add(() => metrics?.close());
    const node = await startNode(config, { configPath: resolve(file), version, log, onFailure: end.fail });
    cleanup.add(() => node.stop());
    metrics?.serve(node.service);
    const api = await openApi(node.service, listen, log);
    cleanup.add(() => api.close());
    hangUps.serve(() => reload(node, file, { log, notify }));
    process.stdout.on('error', () => {}); // Nobody has to read it.
    process.stdout.write(`${JSON.stringify({ event: 'ready', node: name, socket: config.api.socket })}\n`);
    notify('ready');
    log.info({ socket: config.api.socket, version }, 'the node forwards');
    const status = await end.status;
    notify('stopping');
    log.info({}, 'the node stops; pods keep their interfaces');
    return status;
  } finally {
    await cleanup.run();
  }
}

interface End {
  /** Resolves with the exit status when it is time to stop. */
  readonly status: Promise<number>;
  fail(error: unknown): void;
}

function listenForTheEnd(log: Logger): End {
  let end = (_status: number): void => {};
  const status = new Promise<number>((resolve) => {
    end = (status) => {
      resolve(status);
      setTimeout(() => {
        log.fatal({}, `the node has not stopped within ${STOP_PATIENCE_MS / 1000} s and is given up`);
        process.exit(1);
      }, STOP_PATIENCE_MS).unref();
    };
  });
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'the node cannot go on; pods keep their interfaces for the next one');
    end(1);
  };
  process.on('uncaughtException', fail);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(0));
  return { status, fail };
}

/** SIGHUPs, one after the other: those that come during a reload are one more, those during the start wait for its end. */
class HangUps {
  #asked = false;
  #busy = false;
  #serve: (() => Promise<void>) | undefined;

  constructor() {
    process.on('SIGHUP', () => {
      this.#asked = true;
      void this.#run();
    });
  }

  serve(serve: () => Promise<void>): void {
    this.#serve = serve;
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#busy || !this.#serve) return;
    this.#busy = true;
    while (this.#asked) {
      this.#asked = false;
      await this.#serve();
    }
    this.#busy = false;
  }
}

async function reload(node: RunningNode, file: string, { log, notify }: { log: Logger; notify: Notify }) {
  notify('reloading');
  try {
    await node.reload(loadConfig(file));
    log.info({ file }, 'the configuration was read again and applied');
  } catch (error) {
    log.error({ err: error }, 'the configuration was not applied; the node keeps the one that it had');
  }
  notify('ready');
}
