import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DeliveryBatch } from '../../queue/deliveries.store.js';
import type { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';
import { QueueDelivery, type QueueDeliveryOptions } from './queue-delivery.js';

const EMPTY = { items: [], remaining: 0, dropped: 0 } as Partial<DeliveryBatch> as DeliveryBatch;
const RETRY_MS = 2000;

const first = vi.fn<QueueService['first']>();
const next = vi.fn<QueueService['next']>();
const delivered = vi.fn<QueueService['delivered']>();
const countAttempt = vi.fn<QueueService['countAttempt']>();
/** Emits a batch: resolves when the client acks, rejects when it does not in time. */
const emitWithAck = vi.fn<() => Promise<void>>();
const emit = vi.fn<() => boolean>();
const onDone = vi.fn<() => void>();

beforeEach(() => {
  vi.useFakeTimers();
  for (const mock of [first, next]) mock.mockReset().mockResolvedValue(EMPTY);
  for (const mock of [delivered, countAttempt, emitWithAck]) mock.mockReset().mockResolvedValue();
  emit.mockReset().mockReturnValue(true);
  onDone.mockReset();
});
afterEach(() => {
  vi.useRealTimers();
});

function create({ acks = true, connected = true } = {}): QueueDelivery {
  const queue: Partial<QueueService> = { first, next, delivered, countAttempt };
  const options: QueueDeliveryOptions = {
    queue: queue as QueueService,
    ackTimeoutMs: 1000,
    countOffer: (_items, offer) => offer,
    onError: () => {},
  };
  const socket: unknown = { connected, emit, timeout: () => ({ emitWithAck }) };
  const connection = { userId: 'ann', joined: new Map(), acks, socket } as Partial<Connection>;
  return new QueueDelivery(connection as Connection, options, onDone);
}

function batch(...queueIds: string[]): DeliveryBatch {
  const items = queueIds.map((queueId) => ({ queueId, kind: 'system', message: {} }));
  return { ...EMPTY, items: items as object as DeliveryBatch['items'] };
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((...functions) => {
    [resolve, reject] = functions;
  });
  return { promise, resolve, reject };
}

async function flush(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

describe('A delivery that fails', () => {
  beforeEach(() => {
    first.mockRejectedValue(new Error('the database is unavailable'));
  });

  test('has one retry, also when it is woken before, and is kept until then (P8)', async () => {
    const delivery = create();
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

  test('does not retry when it was stopped (P8)', async () => {
    const delivery = create();
    delivery.wake();
    await vi.advanceTimersByTimeAsync(RETRY_MS / 2);
    delivery.wake();
    await flush();
    delivery.stop();
    await vi.advanceTimersByTimeAsync(10 * RETRY_MS);
    expect(first).toHaveBeenCalledTimes(2);
  });
});

describe('A delivery', () => {
  test('goes on after what was acked, and offers again what was not (P8)', async () => {
    first.mockResolvedValue(batch('1', '2'));
    next.mockResolvedValueOnce(batch('3')).mockResolvedValueOnce(batch('3'));
    emitWithAck.mockResolvedValueOnce().mockRejectedValueOnce(new Error('timeout')).mockResolvedValueOnce();
    create().wake();
    await flush();
    expect(next.mock.calls.map(([{ afterId }]) => afterId)).toEqual(['2', '2', '3']);
    expect(delivered.mock.calls.map(([, { items }]) => items.length)).toEqual([2, 1]);
    expect(countAttempt).toHaveBeenCalledTimes(1);
    expect(onDone).toHaveBeenCalledTimes(1);
  });

  test('counts no attempt when the connection closed before its ack', async () => {
    const ack = deferred<void>();
    first.mockResolvedValue(batch('1'));
    emitWithAck.mockReturnValue(ack.promise);
    const delivery = create();
    delivery.wake();
    await flush();
    delivery.stop();
    ack.reject(new Error('timeout'));
    await flush();
    expect(countAttempt).not.toHaveBeenCalled();
    expect(delivered).not.toHaveBeenCalled();
  });

  test('offers nothing when it was stopped during the query', async () => {
    const read = deferred<DeliveryBatch>();
    first.mockReturnValue(read.promise);
    const delivery = create();
    delivery.wake();
    delivery.stop();
    read.resolve(batch('1'));
    await flush();
    expect(emitWithAck).not.toHaveBeenCalled();
  });

  test('that is woken while it runs checks the queue once more afterwards, and only then (P8)', async () => {
    const read = deferred<DeliveryBatch>();
    first.mockReturnValueOnce(read.promise);
    const delivery = create();
    delivery.wake();
    delivery.wake();
    expect(first).toHaveBeenCalledTimes(1);
    read.resolve(EMPTY);
    await flush();
    expect(first).toHaveBeenCalledTimes(2);
    expect(onDone).toHaveBeenCalledTimes(1);
  });

  test('that is woken and then stopped while it runs does not check again', async () => {
    const read = deferred<DeliveryBatch>();
    first.mockReturnValueOnce(read.promise);
    const delivery = create();
    delivery.wake();
    delivery.wake();
    delivery.stop();
    read.resolve(EMPTY);
    await flush();
    expect(first).toHaveBeenCalledTimes(1);
  });

  test('to a client that does not ack counts as taken while its socket is open, and as an attempt otherwise', async () => {
    first.mockResolvedValue(batch('1'));
    create({ acks: false }).wake();
    await flush();
    expect([delivered.mock.calls.length, countAttempt.mock.calls.length]).toEqual([1, 0]);
    create({ acks: false, connected: false }).wake();
    await flush();
    expect([delivered.mock.calls.length, countAttempt.mock.calls.length]).toEqual([1, 1]);
  });
});
