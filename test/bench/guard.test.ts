/** What the guard calls a fall, and that its reference loop and its baseline are sound. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guardText } from '../../bench/guard/command.ts';
import { guardedRows } from '../../bench/guard/fabric.ts';
import { guardedStages } from '../../bench/guard/micro.ts';
import { referenceWork } from '../../bench/guard/reference.ts';
import { type Baseline, better, judge, margins } from '../../bench/guard/verdict.ts';

const file = new URL('../../docs/benchmarks/guard.json', import.meta.url);

describe('verdict', () => {
  const baseline = { micro: { parse: 2 }, fabric: { tcp: 1 } };
  const judged = (micro: number, fabric: number) =>
    judge(baseline, { micro: { parse: micro }, fabric: { tcp: fabric } }).map(({ fallen }) => fallen);

  it('is a fall beyond the margin, and nothing that is better', () => {
    expect(judged(2, 1)).toEqual([false, false]);
    expect(judged(0.1, 10)).toEqual([false, false]);
    expect(judged(2 * margins.micro * 0.99, margins.fabric * 1.01)).toEqual([false, false]);
    expect(judged(2 * margins.micro * 1.01, 1)).toEqual([true, false]);
    expect(judged(2, margins.fabric * 0.99)).toEqual([false, true]);
  });

  it('misses what was not measured', () => {
    expect(() => judge(baseline, { micro: {}, fabric: { tcp: 1 } })).toThrow(/micro parse .* not measured/);
  });

  it('believes the better of two', () => {
    const [micro, fabric] = judge(baseline, { micro: { parse: 9 }, fabric: { tcp: 0.1 } });
    expect([better(micro, 3), better(micro, 10), better(fabric, 0.5), better(fabric, 0.01)]).toEqual([
      3, 9, 0.5, 0.1,
    ]);
  });

  it('says what has fallen', () => {
    const text = guardText(judge(baseline, { micro: { parse: 9 }, fabric: { tcp: 1 } }));
    expect(text).toMatch(/micro +parse +2\.00 +9\.00 +4\.50/);
    expect(text).toMatch(/1 of 1 stages and 1 fabric ratios have fallen/);
    expect(guardText(judge(baseline, { micro: { parse: 2 }, fabric: { tcp: 1 } }))).toMatch(
      /within their margins$/,
    );
  });
});

describe('reference loop', () => {
  it('is repeatable', () => {
    const work = referenceWork(64);
    for (let n = 0; n < 3; n++) work.prove();
  });
});

describe('baseline', () => {
  it('has every stage and ratio that is guarded, and no other', () => {
    expect(existsSync(file)).toBe(true);
    const { micro, fabric } = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
    expect(Object.keys(micro)).toEqual(guardedStages.map(({ id }) => id));
    expect(Object.keys(fabric)).toEqual([...guardedRows]);
    for (const ratio of [...Object.values(micro), ...Object.values(fabric)]) expect(ratio).toBeGreaterThan(0);
  });
});
