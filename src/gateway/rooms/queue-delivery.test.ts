import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DeliveryBatch } from '../../queue/deliveries.store.js';
import type { Connection } from '../connections/connection.js';
import { QueueDelivery, type QueueDeliveryOptions } from './queue-delivery.js';

const EMPTY: DeliveryBatch = { items: [], remaining: 0, dropped: 0, overdue: false };
const RETRY_MS = 2000;

/** Reads the queue: fails while the database is unavailable. */
const first = vi.fn<() => Promise<DeliveryBatch>>();
const onDone = vi.fn();
let delivery: QueueDelivery;

beforeEach(() => {
  vi.useFakeTimers();
  first.mockReset().mockRejectedValue(new Error('the database is unavailable'));
  onDone.mockReset();
  const options = { queue: { first }, ackTimeoutMs: 1000, onError: () => {} };
  const connection = { userId: 'ann', joined: new Map() };
  delivery = new QueueDelivery(
    connection as Partial<Connection> as Connection,
    options as object as QueueDeliveryOptions,
    onDone,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

test('A delivery that is woken while it waits for its retry has one retry, and is kept until then (P8)', async () => {
  delivery.wake();
  await vi.advanceTimersByTimeAsync(RETRY_MS / 2);
  delivery.wake();
  await vi.advanceTimersByTimeAsync(RETRY_MS - 1);
  expect(first).toHaveBeenCalledTimes(2);
  expect(onDone).not.toHaveBeenCalled();
  first.mockResolvedValue(EMPTY);
  await vi.advanceTimersByTimeAsync(1);
  expect(first).toHaveBeenCalledTimes(3);
  expect(onDone).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(10 * RETRY_MS);
  expect(first).toHaveBeenCalledTimes(3);
});

test('A delivery that is stopped while it waits for its retry does not retry (P8)', async () => {
  delivery.wake();
  await vi.advanceTimersByTimeAsync(RETRY_MS / 2);
  delivery.wake();
  await vi.advanceTimersByTimeAsync(0);
  delivery.stop();
  await vi.advanceTimersByTimeAsync(10 * RETRY_MS);
  expect(first).toHaveBeenCalledTimes(2);
});
