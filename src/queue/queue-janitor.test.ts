import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { QueueAdminStore } from './queue-admin.store.js';
import { QueueJanitor } from './queue-janitor.js';

const MINUTE_MS = 60_000;

const usersWithQueue = vi.fn<QueueAdminStore['usersWithQueue']>();
const trim = vi.fn<QueueAdminStore['trim']>();
const forgetEnded = vi.fn<QueueAdminStore['forgetEnded']>();
let janitor: QueueJanitor;

beforeEach(() => {
  vi.useFakeTimers();
  usersWithQueue.mockReset().mockResolvedValue([]);
  for (const mock of [trim, forgetEnded]) mock.mockReset().mockResolvedValue(0);
  const runExclusively: QueueAdminStore['runExclusively'] = async (work) => {
    await work();
    return true;
  };
  const store: Partial<QueueAdminStore> = { usersWithQueue, trim, forgetEnded, runExclusively };
  janitor = new QueueJanitor(store as QueueAdminStore);
});

afterEach(async () => {
  await janitor.onApplicationShutdown();
  vi.useRealTimers();
});

describe('The janitor', () => {
  test('trims every queue until it is within its bounds, two times a minute (P8)', async () => {
    const pages: Record<string, string[]> = { '': ['ann', 'bob'], bob: ['eve'] };
    usersWithQueue.mockImplementation((after) => Promise.resolve(pages[after] ?? []));
    trim.mockResolvedValueOnce(1000).mockResolvedValueOnce(7);
    forgetEnded.mockResolvedValueOnce(5000);
    janitor.onApplicationBootstrap();
    await vi.advanceTimersByTimeAsync(MINUTE_MS / 2);
    expect(trim.mock.calls.flat()).toEqual(['ann', 'ann', 'ann', 'bob', 'eve']);
    expect(forgetEnded).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(MINUTE_MS / 2);
    expect(trim.mock.calls.flat().slice(5)).toEqual(['ann', 'bob', 'eve']);
  });

  test('ends a long round at shutdown after the statement that runs (P12)', async () => {
    let finish = (_ended: number): void => {};
    usersWithQueue.mockResolvedValueOnce(['ann', 'bob']);
    trim.mockImplementation(() => new Promise((resolve) => (finish = resolve)));
    janitor.onApplicationBootstrap();
    await vi.advanceTimersByTimeAsync(MINUTE_MS / 2);
    const stopped = janitor.onApplicationShutdown();
    finish(1000);
    await stopped;
    expect(trim).toHaveBeenCalledTimes(1);
    expect(usersWithQueue).toHaveBeenCalledTimes(1);
    expect(forgetEnded).not.toHaveBeenCalled();
  });
});
