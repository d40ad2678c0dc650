// The time to tidy up: when much has happened, and then nothing for a while.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Lull } from '../../../routing/bgp/lull.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('is not called for little, nor while something happens, and once for much', () => {
  const onLull = vi.fn();
  const lull = new Lull(100, 1000, onLull);
  lull.happened(99);
  vi.advanceTimersByTime(10_000);
  expect(onLull).not.toHaveBeenCalled();

  for (let i = 0; i < 50; i++) {
    lull.happened(1);
    vi.advanceTimersByTime(900);
  }
  expect(onLull).not.toHaveBeenCalled();
  vi.advanceTimersByTime(200);
  expect(onLull).toHaveBeenCalledOnce();

  lull.happened(99);
  vi.advanceTimersByTime(10_000);
  expect(onLull).toHaveBeenCalledOnce();
  lull.happened(1);
  vi.advanceTimersByTime(1000);
  expect(onLull).toHaveBeenCalledTimes(2);
});

it('keeps no process alive', () => {
  new Lull(1, 1000, () => {}).happened(1);
  expect(vi.getTimerCount()).toBe(1);
  vi.useRealTimers();
  const before = process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
  new Lull(1, 60_000, () => {}).happened(1);
  expect(process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length).toBe(before);
});
