import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { callAt } from './call-at.js';

const DAY = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it.each([-1000, 0, 1, 60_000, 24 * DAY, 25 * DAY, 400 * DAY])('calls once, %d ms from now', (ms) => {
  const act = vi.fn<() => void>();
  callAt(Date.now() + ms, act);
  vi.advanceTimersByTime(Math.max(0, ms - 1));
  expect(act).toHaveBeenCalledTimes(ms > 0 ? 0 : 1);
  vi.advanceTimersByTime(1 + 30 * DAY);
  expect(act).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('never calls at Infinity, and holds no timer for it', () => {
  callAt(Infinity, () => expect.unreachable());
  expect(vi.getTimerCount()).toBe(0);
});

it.each([1000, 100 * DAY])('does not call when it was stopped, also after days of waiting', (ms) => {
  const act = vi.fn<() => void>();
  const stop = callAt(Date.now() + ms, act);
  vi.advanceTimersByTime(ms / 2);
  stop();
  vi.advanceTimersByTime(ms * 2);
  expect(act).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
