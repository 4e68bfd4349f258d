import { RateLimiterMemory } from 'rate-limiter-flexible';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Limiter } from './limiter.js';

let refusals = 0;

beforeEach(() => {
  vi.useFakeTimers();
  refusals = 0;
});
afterEach(() => vi.useRealTimers());

function limiter(points: number): Limiter {
  return new Limiter(new RateLimiterMemory({ points, duration: 10 }), () => (refusals += 1));
}

test('So many points in a time, and then refusals that say how long to wait', async () => {
  const limit = limiter(3);
  expect([await limit.tryConsume('a', 2), await limit.tryConsume('a')]).toEqual([null, null]);
  vi.advanceTimersByTime(4000);
  const refusal = await limit.tryConsume('a');
  expect(refusal?.error).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 6000 });
  expect([await limit.tryConsume('b'), refusals]).toEqual([null, 1]);
  vi.advanceTimersByTime(6000);
  expect(await limit.tryConsume('a')).toBeNull();
});

test('What is refused counts as overrun, and does not make the wait longer', async () => {
  const limit = limiter(2);
  for (let n = 0; n < 5; n += 1) await limit.tryConsume('a');
  vi.advanceTimersByTime(9000);
  expect(await limit.tryConsume('a')).toMatchObject({ overrun: 3, error: { retryAfterMs: 1000 } });
});

test('A clock that is set back does not make the wait longer', async () => {
  const limit = limiter(1);
  await limit.tryConsume('a');
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(await limit.tryConsume('a')).toMatchObject({ error: { retryAfterMs: 10_000 } });
  vi.advanceTimersByTime(10_000);
  expect(await limit.tryConsume('a')).toBeNull();
});

test('A point that was given back can be taken again', async () => {
  const limit = limiter(1);
  await limit.consume('a');
  await limit.refund('a');
  await limit.consume('a');
  await expect(limit.consume('a')).rejects.toMatchObject({ code: 'rate_limited' });
});

test('Keys are forgotten when their time is over (P7)', async () => {
  const store = new RateLimiterMemory({ points: 1, duration: 10 });
  const limit = new Limiter(store, () => {});
  for (let n = 0; n < 200; n += 1) await limit.tryConsume(`address-${n}`);
  expect(store.dump().storage).toHaveLength(200);
  vi.advanceTimersByTime(10_001);
  expect(store.dump().storage).toHaveLength(0);
});

test('Without a store nothing is limited', async () => {
  const limit = new Limiter(null, () => (refusals += 1));
  for (let n = 0; n < 100; n += 1) expect(await limit.tryConsume('a', 1000)).toBeNull();
  await limit.refund('a');
  expect(refusals).toBe(0);
});
