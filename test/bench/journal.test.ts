/** The journal: what has been measured is there after whatever ended the run, and a run of another plan is not continued. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, type Measurement } from '../../bench/fabric/journal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const plan = { rows: 'tcp1', rounds: 3 };
const begun = '2026-01-02T03:04:05.678Z';
const one: Measurement = {
  row: 'tcp1',
  contestant: 'weft',
  round: 0,
  figures: { gbits: 7 },
  foreign: 0,
  rejected: 0,
};

describe('journal', () => {
  it('goes on with what it has', () => {
    const first = Journal.begin(folder, { begun, plan });
    first.add(one);
    first.addHalfLoad('wire', 1234);
    const second = Journal.resume(first.file, plan);
    expect(second.header.begun).toBe(begun);
    expect(second.measurements).toEqual([one]);
    expect(second.halfLoad('wire')).toBe(1234);
    expect(second.halfLoad('offloading')).toBeUndefined();
    expect([second.has('tcp1', 'weft', 0), second.has('tcp1', 'weft', 1)]).toEqual([true, false]);
  });

  it('does not trip over the line that was being written', () => {
    const { file, ...first } = Journal.begin(folder, { begun, plan });
    Journal.resume(file, plan).add(one);
    appendFileSync(file, '{"row":"tcp1","contest');
    const second = Journal.resume(file, plan);
    second.add({ ...one, round: 1 });
    expect(first.header.begun).toBe(begun);
    expect(Journal.resume(file, plan).measurements.map(({ round }) => round)).toEqual([0, 1]);
    expect(readFileSync(file, 'utf8')).not.toContain('contest"');
  });

  it('is of one plan only, and says what is different', () => {
    const { file } = Journal.begin(folder, { begun, plan });
    expect(() => Journal.resume(file, { ...plan, rounds: 5 })).toThrow(
      /rounds was 3 and is 5.*without --resume/,
    );
    expect(() => Journal.resume(file, { rows: 'tcp1' })).toThrow(/rounds was 3 and is not given/);
  });

  it('is not just any file', () => {
    const file = join(folder, 'x.jsonl');
    writeFileSync(file, '{"a":1}\n');
    expect(() => Journal.read(file)).toThrow(/not a journal/);
    writeFileSync(file, '{"begun":"","plan":{}}\nnonsense\n');
    expect(() => Journal.read(file)).toThrow(/:2 is not JSON/);
  });

  it('finds the newest', () => {
    expect(Journal.latest(folder, plan)).toBeUndefined();
    expect(Journal.latest(join(folder, 'none'), plan)).toBeUndefined();
    Journal.begin(folder, { begun, plan });
    const { file } = Journal.begin(folder, { begun: '2026-02-01T00:00:00.000Z', plan });
    expect(Journal.latest(folder, plan)).toBe(file);
  });

  it('passes over newer ones of other plans, and names the newest where none fits', () => {
    const { file } = Journal.begin(folder, { begun, plan });
    const other = Journal.begin(folder, { begun: '2026-02-01T00:00:00.000Z', plan: { rows: 'rtt' } });
    writeFileSync(join(folder, '2026-01-15.jsonl'), 'nonsense');
    expect(Journal.latest(folder, plan)).toBe(file);
    expect(Journal.latest(folder, { rows: 'idle' })).toBe(other.file);
  });
});
