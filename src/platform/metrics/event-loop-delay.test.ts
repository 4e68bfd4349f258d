import { afterEach, expect, test } from 'vitest';
import { EventLoopDelay } from './event-loop-delay.js';

let delay: EventLoopDelay | undefined;

afterEach(() => delay?.onApplicationShutdown());

test('Figures are 0 before anything was measured, and after a reset', async () => {
  delay = new EventLoopDelay();
  expect(delay.read()).toEqual({ meanMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  await measureBlock(delay);
  delay.reset();
  expect(delay.read()).toEqual({ meanMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
});

test('A turn that takes 60 ms shows as the longest delay', async () => {
  delay = new EventLoopDelay();
  await measureBlock(delay);
  const { meanMs, maxMs } = delay.read();
  expect(maxMs).toBeGreaterThan(30);
  expect(meanMs).toBeLessThanOrEqual(maxMs);
});

/** Blocks the event loop until a delay has been measured. */
async function measureBlock(measured: EventLoopDelay): Promise<void> {
  await expect
    .poll(() => {
      const until = performance.now() + 60;
      while (performance.now() < until);
      return measured.read().maxMs;
    })
    .toBeGreaterThan(30);
}
