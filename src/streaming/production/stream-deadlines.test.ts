import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PausableTimer } from './stream-deadlines.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('A pausable timer counts only the time in which it runs, and expires once', () => {
  const expired = vi.fn();
  const timer = new PausableTimer(1000, expired);
  vi.advanceTimersByTime(5000);
  timer.start();
  timer.start();
  vi.advanceTimersByTime(600);
  timer.stop();
  timer.stop();
  vi.advanceTimersByTime(5000);
  timer.start();
  vi.advanceTimersByTime(399);
  expect(expired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(expired).toHaveBeenCalledOnce();
  timer.stop();
  timer.start();
  vi.advanceTimersByTime(5000);
  expect(expired).toHaveBeenCalledOnce();
});

test('A pausable timer without time left expires at once when it is started', () => {
  const expired = vi.fn();
  new PausableTimer(-5, expired).start();
  vi.advanceTimersByTime(0);
  expect(expired).toHaveBeenCalledOnce();
});
