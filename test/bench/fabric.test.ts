/** The frame of `weft bench fabric`: its table, turns, results and what it makes of noise. How fast anything is, is no test's business. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contestantNames, contestants } from '../../bench/fabric/contestants/contestants.ts';
import type { Measurement } from '../../bench/fabric/journal.ts';
import { highestRate, TOLERATED_LOSS } from '../../bench/fabric/rate-search.ts';
import { resultsOf } from '../../bench/fabric/results.ts';
import { BASE, settingText } from '../../bench/fabric/setting.ts';
import { FOREIGN_LIMIT, turnsOf } from '../../bench/fabric/suite.ts';
import { goalIds, levels, REFERENCE, type Row, rowIds, rowsOf } from '../../bench/fabric/table.ts';

describe('table', () => {
  const full = rowsOf({ level: 'full', override: {} });

  it('has ids of its own, and more rows at each level', () => {
    expect(new Set(rowIds).size).toBe(rowIds.length);
    expect(full.map(({ id }) => id)).toEqual(rowIds);
    const sizes = levels.map((level) => rowsOf({ level, override: {} }).length);
    expect(sizes[0]).toBeGreaterThan(3);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });

  it('has no two rows of one title', () => {
    expect(new Set(full.map(({ title }) => title)).size).toBe(full.length);
  });

  it('judges only who takes part', () => {
    const targets = full.flatMap((row) => (row.targets ?? []).map((target) => ({ row, target })));
    expect(targets.length).toBeGreaterThan(12);
    for (const { row, target } of targets) {
      expect(row.contestants, row.id).toContain(target.contestant);
      expect(row.contestants, row.id).toContain(target.against);
    }
  });

  it('lets everyone take part somewhere', () => {
    expect(new Set(full.flatMap((row) => [...row.contestants]))).toEqual(new Set(contestantNames));
  });

  it('puts what is asked for over every setting, and into the title', () => {
    const rows = rowsOf({ level: 'quick', override: { family: 6, mtu: 9000 } });
    expect(rows.every(({ setting }) => setting.family === 6 && setting.mtu === 9000)).toBe(true);
    expect(rows.every(({ title }) => title.endsWith('MTU 9000, IPv6'))).toBe(true);
    expect(settingText(BASE)).toBe('');
  });

  it('knows what has something to reach', () => {
    const goals = rowsOf({ level: 'standard', only: goalIds, override: {} });
    const judged = new Set(goals.filter(({ targets }) => targets).map(({ id }) => id));
    expect(judged).toEqual(new Set(full.filter(({ targets }) => targets).map(({ id }) => id)));
    expect(goals.length).toBeLessThan(full.length / 2);
  });

  it('takes rows by name from any level', () => {
    expect(rowsOf({ level: 'quick', only: ['tcp16'], override: {} }).map(({ id }) => id)).toEqual(['tcp16']);
  });
});

const row = (own: Partial<Row> = {}): Row => ({
  id: 'r',
  title: 'R',
  level: 'quick',
  work: async () => ({}),
  setting: BASE,
  contestants: ['routing', REFERENCE, 'weft'],
  metric: 'gbits',
  ...own,
});

describe('turns', () => {
  it('give everyone one in every round, in reversed order every other round', () => {
    const turns = turnsOf(row(), 3, (name) => name === 'routing');
    expect(turns.map(({ contestant, round }) => `${round} ${contestant}`)).toEqual([
      '0 kernel-vxlan',
      '0 weft',
      '1 weft',
      '1 kernel-vxlan',
      '2 kernel-vxlan',
      '2 weft',
    ]);
  });
});

const measured = (
  contestant: string,
  round: number,
  gbits: number,
  own: Partial<Measurement> = {},
): Measurement => ({ row: 'r', contestant, round, figures: { gbits }, foreign: 0, rejected: 0, ...own });

describe('results', () => {
  const target = { metric: 'gbits', contestant: 'weft', against: REFERENCE, goal: { atLeast: 2 } } as const;
  const measurements = [
    measured(REFERENCE, 0, 1),
    measured('weft', 0, 2),
    measured('weft', 1, 30),
    measured(REFERENCE, 1, 10, { rejected: 2, foreign: FOREIGN_LIMIT * 2 }),
    measured(REFERENCE, 2, 4),
    measured('weft', 2, 4),
    // Without a partner in its round: no ratio.
    measured('weft', 3, 1000),
  ];

  it('take ratios within rounds, not of medians', () => {
    const [result] = resultsOf([row({ targets: [target] })], measurements, 2);
    const weft = result.contestants.find(({ name }) => name === 'weft');
    expect(weft?.ratios.gbits).toEqual({ median: 2, least: 1, most: 3 });
    expect(weft?.figures.gbits).toEqual({ median: 17, least: 2, most: 1000 });
    expect(weft?.title).toBe(contestants.weft.title);
    expect(result.targets).toEqual([{ ...target, ratio: { median: 2, least: 1, most: 3 }, reached: true }]);
    expect(result.contestants.map(({ name }) => name)).toEqual([REFERENCE, 'weft']);
    expect([result.rejected, result.disturbed, result.rounds]).toEqual([2, 1, 4]);
  });

  it('say when a goal is missed, either way', () => {
    const goals = [{ atLeast: 2.1 }, { atMost: 1.9 }, { atMost: 2 }];
    const targets = goals.map((goal) => ({ ...target, goal }));
    const [result] = resultsOf([row({ targets })], measurements, 2);
    expect(result.targets.map(({ reached }) => reached)).toEqual([false, false, true]);
  });

  it('do not judge what too few cores cannot show', () => {
    const rows = [row({ targets: [{ ...target, cores: 8 }] })];
    expect(resultsOf(rows, measurements, 2)[0].targets[0].reached).toBeUndefined();
    expect(resultsOf(rows, measurements, 8)[0].targets[0].reached).toBe(true);
  });

  it('keep what failed, and leave out what was never measured', () => {
    const failed: Measurement = {
      row: 'r',
      contestant: 'weft',
      round: 0,
      failure: 'no way',
      foreign: 0,
      rejected: 0,
    };
    const [result] = resultsOf([row({ targets: [target] }), row({ id: 'other' })], [failed], 2);
    expect(result.contestants[0].failures).toEqual(['no way']);
    expect(result.targets).toEqual([]);
    expect(resultsOf([row({ id: 'other' })], [failed], 2)).toEqual([]);
  });
});

describe('search for the highest rate without loss', () => {
  /** Loses what is over its capacity; the sender can do `most`. */
  const network = (capacity: number, most: number) => async (rate: number) => {
    const offered = rate === 0 ? most : Math.min(rate, most);
    const delivered = Math.min(offered, capacity);
    return { offered, delivered, loss: 1 - delivered / offered };
  };

  it('finds it within a twentieth, below what loses', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 1000, max: 1e6, noNaN: true }),
        fc.double({ min: 1, max: 20, noNaN: true }),
        async (capacity, factor) => {
          const found = await highestRate(network(capacity, capacity * factor));
          expect(found).toBeLessThanOrEqual(capacity * (1 + 2 * TOLERATED_LOSS));
          expect(found).toBeGreaterThan(capacity / 1.06);
        },
      ),
    );
  });

  it('is what the sender can do, where nothing is lost', async () => {
    expect(await highestRate(network(1e9, 5000))).toBeGreaterThan(5000 / 1.06);
  });

  it('forgives one disturbance', async () => {
    let disturbed = false;
    const inner = network(10_000, 20_000);
    const found = await highestRate(async (rate) => {
      const trial = await inner(rate);
      if (rate === 0 || rate > 10_000 || disturbed) return trial;
      disturbed = true;
      return { ...trial, loss: 0.5 };
    });
    expect(disturbed).toBe(true);
    expect(found).toBeGreaterThan(10_000 / 1.06);
  });

  it('gives up where every rate loses', async () => {
    const found = await highestRate(async (rate) => ({ offered: rate || 1000, delivered: 500, loss: 0.5 }));
    expect(found).toBe(0);
  });
});
