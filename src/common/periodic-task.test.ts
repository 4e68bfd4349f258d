import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PeriodicTask } from './periodic-task.js';

const INTERVAL_MS = 1000;

beforeEach(() => {
  vi.useFakeTimers();
  Logger.overrideLogger(false);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  Logger.overrideLogger(true);
});

/** A task of which each round ends when the test says so. */
function controlled(options: { runAtOnce?: boolean } = {}) {
  const rounds: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const signals: AbortSignal[] = [];
  const run = (signal: AbortSignal): Promise<void> => {
    signals.push(signal);
    return new Promise((resolve, reject) => {
      rounds.push({ resolve, reject });
    });
  };
  const task = new PeriodicTask({ name: 'do work', intervalMs: INTERVAL_MS, run, ...options });
  return { task, rounds, signals };
}

describe('PeriodicTask', () => {
  test('starts the first round after the interval', async () => {
    const { task, rounds } = controlled();
    task.start();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS - 1);
    expect(rounds).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(rounds).toHaveLength(1);
  });

  test('starts the first round at once where it is asked to', () => {
    const { task, rounds } = controlled({ runAtOnce: true });
    task.start();
    expect(rounds).toHaveLength(1);
  });

  test('runs one round at a time and counts the interval from the end of a round', async () => {
    const { task, rounds } = controlled({ runAtOnce: true });
    task.start();
    await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);
    expect(rounds).toHaveLength(1);
    rounds[0]?.resolve();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS - 1);
    expect(rounds).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(rounds).toHaveLength(2);
  });

  test('goes on after a round that failed, and logs a series of failures once and its end', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn');
    const log = vi.spyOn(Logger.prototype, 'log');
    const error = new Error('no database');
    const run = vi.fn<() => void>();
    const task = new PeriodicTask({ name: 'do work', intervalMs: INTERVAL_MS, run });
    run.mockImplementation(() => {
      throw error;
    });
    task.start();
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS);
    expect(run).toHaveBeenCalledTimes(3);
    expect(warn.mock.calls).toEqual([
      ['periodic task failed', { task: 'do work', retryInMs: INTERVAL_MS, error }],
    ]);
    run.mockImplementation(() => {});
    await vi.advanceTimersByTimeAsync(2 * INTERVAL_MS);
    expect(log.mock.calls).toEqual([['periodic task recovered', { task: 'do work' }]]);
    await task.stop();
  });

  test('stops: aborts the signal, waits for the running round, starts no other', async () => {
    const { task, rounds, signals } = controlled({ runAtOnce: true });
    task.start();
    let stopped = false;
    const stop = task.stop().then(() => (stopped = true));
    expect(signals[0]?.aborted).toBe(true);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    expect(stopped).toBe(false);
    rounds[0]?.reject(new Error('aborted'));
    await stop;
    await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);
    expect(rounds).toHaveLength(1);
  });

  test('starts nothing where it was stopped before', async () => {
    const { task, rounds } = controlled({ runAtOnce: true });
    await task.stop();
    task.start();
    expect(rounds).toHaveLength(0);
  });
});
