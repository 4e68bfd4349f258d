import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryRelay } from '../platform/relay/memory-relay.js';
import type { ConversationEvent } from '../platform/relay/topics.js';
import type { AckStore, Positions } from './ack.store.js';
import { Acknowledger } from './acknowledger.js';

const COALESCE_MS = 100;

const commit = vi.fn<AckStore['ack']>();
let acknowledger: Acknowledger;
let published: ConversationEvent[];

beforeEach(() => {
  vi.useFakeTimers();
  commit.mockReset().mockImplementation((positions) => Promise.resolve({ ...positions, moved: true }));
  const relay = new MemoryRelay();
  published = [];
  relay.subscribe('conversation', 'c', (event) => published.push(event));
  acknowledger = new Acknowledger({ ack: commit } as Partial<AckStore> as AckStore, relay);
});

afterEach(async () => {
  await acknowledger.onApplicationShutdown();
  vi.useRealTimers();
});

function positions(deliveredSeq: number, userId = 'ann', readSeq = 0): Positions {
  return { userId, conversationId: 'c', deliveredSeq, readSeq };
}

describe('What was written to a client without acks', () => {
  test('is committed within 100 ms, for each member once with the highest seq (P8)', async () => {
    acknowledger.ackLater('ann', 'c', 3);
    acknowledger.ackLater('bob', 'c', 2);
    acknowledger.ackLater('ann', 'c', 5);
    acknowledger.ackLater('ann', 'c', 4);
    expect(commit).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(commit.mock.calls.flat()).toEqual([positions(5), positions(2, 'bob')]);
    acknowledger.ackLater('ann', 'c', 6);
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(commit.mock.calls.flat().slice(2)).toEqual([positions(6)]);
  });

  test('is committed before the server stops, and only once (P12)', async () => {
    acknowledger.ackLater('ann', 'c', 3);
    await acknowledger.onApplicationShutdown();
    expect(commit.mock.calls.flat()).toEqual([positions(3)]);
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(commit).toHaveBeenCalledTimes(1);
  });

  test('does not stop the others when its commit fails (P11)', async () => {
    commit.mockRejectedValueOnce(new Error('the database is unavailable'));
    acknowledger.ackLater('ann', 'c', 3);
    acknowledger.ackLater('bob', 'c', 3);
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(commit).toHaveBeenCalledTimes(2);
  });
});

describe('A receipt', () => {
  test('has the latest positions of each member, once in 100 ms', async () => {
    await acknowledger.ack(positions(1));
    await acknowledger.ack(positions(2, 'bob'));
    await acknowledger.ack(positions(3, 'ann', 2));
    expect(published).toEqual([]);
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(published).toEqual([
      { type: 'receipt', receipt: positions(3, 'ann', 2) },
      { type: 'receipt', receipt: positions(2, 'bob') },
    ]);
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(published).toHaveLength(2);
    await acknowledger.ack(positions(4));
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(published.slice(2)).toEqual([{ type: 'receipt', receipt: positions(4) }]);
  });

  test('is not sent where the ack moves nothing', async () => {
    commit.mockImplementation((same) => Promise.resolve({ ...same, moved: false }));
    await acknowledger.ack(positions(1));
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(published).toEqual([]);
  });

  test('is not sent for a former member, whose ack is refused (P10)', async () => {
    commit.mockResolvedValue(null);
    await expect(acknowledger.ack(positions(1))).rejects.toMatchObject({ code: 'not_found' });
    expect(await acknowledger.tryAck(positions(1))).toBe(false);
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(published).toEqual([]);
  });
});
