import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Stopwatch } from './pausable-timer.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('A stopwatch counts only the time in which it runs, and expires once', () => {
  const expired = vi.fn();
  const watch = new Stopwatch(1000, expired);
  vi.advanceTimersByTime(5000);
  watch.start();
  watch.start();
  vi.advanceTimersByTime(600);
  watch.stop();
  watch.stop();
  vi.advanceTimersByTime(5000);
  watch.start();
  vi.advanceTimersByTime(399);
  expect(expired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(expired).toHaveBeenCalledOnce();
  watch.stop();
  watch.start();
  vi.advanceTimersByTime(5000);
  expect(expired).toHaveBeenCalledOnce();
});

test('A stopwatch that has nothing left expires at once when it is started', () => {
  const expired = vi.fn();
  new Stopwatch(-5, expired).start();
  vi.advanceTimersByTime(0);
  expect(expired).toHaveBeenCalledOnce();
});
