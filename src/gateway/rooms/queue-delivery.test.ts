import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DeliveryBatch } from '../../queue/deliveries.store.js';
import type { Connection } from '../connections/connection.js';
import { QueueDelivery, type QueueDeliveryOptions } from './queue-delivery.js';

const NOTHING: DeliveryBatch = { items: [], remaining: 0, dropped: 0, overdue: false };
const RETRY_MS = 2000;

/** Asked for what waits: fails while the database is away. */
const first = vi.fn<() => Promise<DeliveryBatch>>();
const done = vi.fn();
let delivery: QueueDelivery;

beforeEach(() => {
  vi.useFakeTimers();
  first.mockReset().mockRejectedValue(new Error('the database is away'));
  done.mockReset();
  const options = { queue: { first }, metrics: {}, ackTimeoutMs: 1000, onFault: () => {} };
  const connection = { userId: 'ann', joined: new Map() };
  delivery = new QueueDelivery(
    connection as Partial<Connection> as Connection,
    options as object as QueueDeliveryOptions,
    done,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

test('A drainer that was woken while it waits for another try waits for one, and is kept until then (P8)', async () => {
  delivery.wake();
  await vi.advanceTimersByTimeAsync(RETRY_MS / 2);
  delivery.wake();
  await vi.advanceTimersByTimeAsync(RETRY_MS - 1);
  expect(first).toHaveBeenCalledTimes(2);
  expect(done).not.toHaveBeenCalled();
  first.mockResolvedValue(NOTHING);
  await vi.advanceTimersByTimeAsync(1);
  expect(first).toHaveBeenCalledTimes(3);
  expect(done).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(10 * RETRY_MS);
  expect(first).toHaveBeenCalledTimes(3);
});

test('A drainer that was stopped while it waits for another try makes none (P8)', async () => {
  delivery.wake();
  await vi.advanceTimersByTimeAsync(RETRY_MS / 2);
  delivery.wake();
  await vi.advanceTimersByTimeAsync(0);
  delivery.stop();
  await vi.advanceTimersByTimeAsync(10 * RETRY_MS);
  expect(first).toHaveBeenCalledTimes(2);
});
