import { getEventListeners } from 'node:events';
import { expect, test, vi } from 'vitest';
import { sleep, withAbort, withTimeout } from './deadline.js';

const never = new Promise<never>(() => {});

test('work that ends first decides, and leaves no listener on the signal', async () => {
  const { signal } = new AbortController();
  expect(await withAbort(Promise.resolve(1), signal)).toBe(1);
  await expect(withAbort(Promise.reject(new Error('own')), signal)).rejects.toThrow('own');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('an abort ends the wait with its own reason, also one that came before', async () => {
  const abort = new AbortController();
  const waiting = [withAbort(never, abort.signal), sleep(60_000, abort.signal)];
  abort.abort(new Error('reason'));
  for (const wait of [...waiting, withAbort(never, abort.signal)])
    await expect(wait).rejects.toThrow('reason');
});

test('a time limit returns whether the work ended in time, and passes its failure on', async () => {
  vi.useFakeTimers();
  try {
    const late = withTimeout(never, 1000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await late).toBe(false);
    expect(await withTimeout(Promise.resolve(), 1000)).toBe(true);
    await expect(withTimeout(Promise.reject(new Error('own')), 1000)).rejects.toThrow('own');
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
