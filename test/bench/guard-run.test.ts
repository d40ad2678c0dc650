/**
 * The guard itself, as CI runs it: this build against the committed baseline. Takes a minute, which is what real traffic
 * beside kernel VXLAN takes; and it can fail, which is shown by a stage that is made slow and by a baseline that is too good.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guardedStages, stageRatio } from '../../bench/guard/micro.ts';
import { judge, margins } from '../../bench/guard/verdict.ts';
import type { Stage } from '../../bench/micro/stage.ts';
import { weftProgram } from '../../lab/weft-node.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-guard-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A minute, and as much again when what has fallen is measured again on a machine that others use. */
const PATIENCE_MS = 600_000;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function guard(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [weftProgram(), 'bench', 'guard', ...args], { timeout: PATIENCE_MS });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (status) => resolve({ status, ...said }));
  });
}

const stage = guardedStages[0];
/** Does everything so often. */
const slowed = (times: number): Stage => ({
  ...stage,
  prepare: () => {
    const { run, prove } = stage.prepare();
    return {
      prove,
      run: () => {
        for (let n = 0; n < times; n++) run();
      },
    };
  },
});

describe('guard', () => {
  it(
    'finds this build within the margins of the committed baseline',
    async () => {
      const { status, stdout, stderr } = await guard();
      expect(status, `${stdout}${stderr}`).toBe(0);
      expect(stdout).toMatch(/guard: \d+ stages and 3 fabric ratios within their margins\n$/);
    },
    PATIENCE_MS,
  );

  it('fails for a stage that was made slow, and only for that', () => {
    const was = stageRatio(stage);
    const verdict = (is: number) =>
      judge({ micro: { [stage.id]: was }, fabric: {} }, { micro: { [stage.id]: is }, fabric: {} })[0].fallen;
    // Far over the margin, so that noise cannot excuse it; the best of a few for the one that must not fall.
    expect(verdict(stageRatio(slowed(6 * margins.micro)))).toBe(true);
    expect(verdict(Math.min(...[1, 2, 3].map(() => stageRatio(slowed(1)))))).toBe(false);
  });

  it('ends with status 1 and names what has fallen behind', async () => {
    const file = join(folder, 'too-good.json');
    writeFileSync(file, JSON.stringify({ micro: { [stage.id]: 1e-3 }, fabric: {} }));
    const { status, stdout } = await guard('--baseline', file);
    expect(status).toBe(1);
    expect(stdout).toContain(stage.id);
    expect(stdout).toMatch(/1 of 1 stages and 0 fabric ratios have fallen behind the baseline/);
  });

  it('says how to write a baseline where there is none', async () => {
    const { status, stderr } = await guard('--baseline', join(folder, 'none.json'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/none\.json; write it with --update\n$/);
  });
});
