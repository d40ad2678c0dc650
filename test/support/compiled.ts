/**
 * The sources as JavaScript, for tests that need them in a process of its own (to kill it): Node 20 runs no TypeScript.
 * Built once per test process, into a folder that goes with it, or with the next one when the process was killed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OWNED = /^\.weft-test-(\d+)$/;
const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string | undefined;

/** Path of the folder that holds `cni/store.js` and so on. */
export function compiled(): string {
  if (folder) return folder;
  for (const name of readdirSync(root)) {
    const [, pid] = OWNED.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(`${root}${name}`, { recursive: true, force: true });
  }
  const out = `${root}.weft-test-${process.pid}`;
  process.on('exit', () => rmSync(out, { recursive: true, force: true }));
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const run = spawnSync(
    process.execPath,
    [tsc, '-p', 'tsconfig.build.json', '--outDir', out, '--sourceMap', 'false'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  if (!existsSync(`${out}/cni/store.js`))
    throw new Error(`the sources do not compile:\n${run.stdout}${run.stderr}`);
  folder = out;
  return out;
}
