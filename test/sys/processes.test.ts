/**
 * What needs a thread or a process of its own: hot-path calls in several worker threads, missing privileges, a missing
 * /dev/net/tun, no way back from a namespace. The programs are compiled first, as Node 20 runs no TypeScript.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as eventfd from '../../sys/eventfd.ts';
import { Errno, libc } from '../../sys/libc.ts';
import { currentNamespaceId, inNamespace, namespaceId } from '../../sys/netns.ts';
import { openTunQueue } from '../../sys/tun.ts';
import { makeNamespace } from './support.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAMS = ['hot-path-worker', 'child'];
let compiled: string;

beforeAll(() => {
  // Inside the repository, so that koffi is found.
  compiled = mkdtempSync(join(ROOT, '.weft-sys-'));
  execFileSync(
    process.execPath,
    [
      ...[
        join(ROOT, 'node_modules/typescript/bin/tsc'),
        '--ignoreConfig',
        '--skipLibCheck',
        '--outDir',
        compiled,
      ],
      ...[
        '--rootDir',
        ROOT,
        '--target',
        'es2023',
        '--lib',
        'es2023,dom',
        '--module',
        'nodenext',
        '--types',
        'node',
      ],
      ...[
        '--rewriteRelativeImportExtensions',
        ...PROGRAMS.map((name) => join(ROOT, `test/sys/fixtures/${name}.ts`)),
      ],
    ],
    { stdio: 'inherit' },
  );
});

afterAll(() => rmSync(compiled, { recursive: true, force: true }));

const program = (name: string) => join(compiled, `test/sys/fixtures/${name}.js`);

test('hot-path calls work in three worker threads at once, on memories of their own, in another namespace', async () => {
  const namespace = makeNamespace();
  const home = currentNamespaceId();
  const rounds = 300;
  // Made here, that the threads find it whatever their order.
  const queue = inNamespace(namespace, () => openTunQueue({ name: 'tun0' }));
  const results = await Promise.all(
    [0, 1, 2].map(
      () =>
        new Promise((resolve, reject) => {
          const workerData = { namespace, tun: 'tun0', rounds };
          const worker = new Worker(program('hot-path-worker'), { workerData });
          worker.on('error', reject);
          worker.on('message', (message: { wake?: number }) => {
            if (message.wake === undefined) resolve(message);
            else eventfd.signal(message.wake);
          });
        }),
    ),
  );
  const expected = {
    datagrams: rounds * 32,
    woken: true,
    emptyRead: [-1, Errno.EAGAIN],
    cameHome: true,
    inside: namespaceId(namespace).inode,
  };
  expect(results).toEqual([expected, expected, expected]);
  expect(currentNamespaceId()).toEqual(home);
  libc.close(queue.fd);
}, 30_000);

interface Told {
  readonly code?: string;
  readonly message: string;
}

/** Runs what follows with another /dev/net, made by `prepare`. */
function withDeviceFolder(prepare: string): string[] {
  return ['unshare', '--mount', 'sh', '-c', `mount -t tmpfs none /dev/net && ${prepare} && exec "$@"`, 'sh'];
}

function run(before: readonly string[], trouble: string, ...args: readonly string[]): Record<string, Told> {
  const [file, ...rest] = [...before, process.execPath, program('child'), trouble, ...args];
  return JSON.parse(execFileSync(file, rest, { encoding: 'utf8' }));
}

describe('errors of processes in trouble', () => {
  test('without privilege, each call says which capability it needs', () => {
    const namespace = makeNamespace();
    const device = withDeviceFolder('mknod -m 666 /dev/net/tun c 10 200');
    const told = run(device, 'withoutPrivilege', namespace);
    expect(told.raw).toMatchObject({
      code: 'EPERM',
      message: expect.stringMatching(/protocol 4: .*CAP_NET_RAW/),
    });
    expect(told.port).toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(/0\.0\.0\.0:53: .*CAP_NET_BIND_SERVICE/),
    });
    expect(told.namespace).toMatchObject({
      code: 'EPERM',
      message: expect.stringMatching(/entering the network namespace \/run\/netns\/weft\d.*CAP_SYS_ADMIN/),
    });
    expect(told.link).toMatchObject({
      code: 'EPERM',
      message: expect.stringMatching(/making the bridge interface wtbridge: .*CAP_NET_ADMIN/),
    });
    expect(told.tun).toMatchObject({
      code: 'EPERM',
      message: expect.stringMatching(/'wt0': .*CAP_NET_ADMIN/),
    });
    expect(told.other.code).toBe('EACCES');
    // Falls back to net.core.rmem_max instead of failing.
    expect(told.buffer).toBeGreaterThan(100_000);
  });

  test('without /dev/net/tun, what to do is said', () => {
    const told = run(
      ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh'],
      'withoutTun',
    );
    for (const { code, message } of Object.values(told)) {
      expect(code).toBe('ENOENT');
      expect(message).toMatch(
        /open \/dev\/net\/tun failed with ENOENT.*modprobe tun.*--device \/dev\/net\/tun/,
      );
    }
  });

  test('a thread that cannot come back from a namespace says so, and does nothing more', () => {
    const told = run([], 'withoutWayBack', makeNamespace());
    expect(told.first.message).toMatch(
      /^fatal: this thread is stuck in the network namespace \/run\/netns\/weft\d/,
    );
    expect(told.second.message).toBe(told.first.message);
  });
});
