import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, overloaded } from './domain-error.js';

/** Receives the figures of a group commit. */
export interface GroupCommitObserver {
  /** Called once, with a function that returns how many items are waiting for their result. */
  countWaiting: (count: () => number) => void;
  committed: (items: number, durationMs: number) => void;
  failed: (durationMs: number) => void;
}

export interface GroupCommitOptions<Item, Result> {
  /** Writes a batch as one commit and returns the results in the batch's order. Called for one batch at a time per shard. */
  commit: (batch: readonly Item[], shard: number) => Promise<readonly Result[]>;
  /** The shard of an item, from 0. Items of one shard are never in two commits at once: see {@link shardOfKey}. */
  shardOf: (item: Item) => number;
  shards: number;
  /** Bytes that an item holds while it waits. */
  sizeOf: (item: Item) => number;
  /** Whether some item caused `error`. The batch is then retried by halves, so `commit` must be idempotent. */
  isItemFault: (error: unknown) => boolean;
  /** How long an item may wait for its result, in milliseconds. */
  deadlineMs: number;
  /** How long a shard waits after a batch with these results before the next one, unless a full batch is waiting, in milliseconds; default 0. */
  restMs?: (results: readonly Result[]) => number;
  observer?: GroupCommitObserver;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly size: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  settled: boolean;
}

const MAX_BATCH_ITEMS = 512;
const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_WAITING_ITEMS = 20_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/**
 * Group commit: the items that arrive while a shard's commit is running are its next batch. No timer delays a lone item,
 * unless its shard rests after an expensive batch (`restMs`). The number and size of waiting items are bounded (P7).
 * @example
 * const commits = new GroupCommit<Message, number>({
 *   commit: (batch, shard) => connections[shard].query(INSERT, [batch]),
 *   shardOf: (message) => shardOfKey(message.conversationId, 2),
 *   shards: 2,
 *   sizeOf: (message) => message.content.length * 3,
 *   isItemFault: isDataFault,
 *   deadlineMs: 5000,
 * });
 * const seq = await commits.submit(message);
 */
export class GroupCommit<Item, Result> {
  private readonly queues: Waiting<Item, Result>[][];
  private readonly running: (Promise<void> | undefined)[];
  private waitingItems = 0;
  private waitingBytes = 0;

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {
    this.queues = Array.from({ length: options.shards }, () => []);
    this.running = Array.from({ length: options.shards }, () => undefined);
    options.observer?.countWaiting(() => this.waitingItems);
  }

  /**
   * Resolves with the item's result when its batch is committed.
   * @throws {DomainError} `timeout` at the deadline (the item may have been committed nevertheless), `overloaded` at once
   * when too much is waiting already; else whatever `commit` threw for this item.
   */
  submit(item: Item): Promise<Result> {
    const size = this.options.sizeOf(item);
    if (this.waitingItems >= MAX_WAITING_ITEMS || this.waitingBytes + size > MAX_WAITING_BYTES) {
      return Promise.reject(overloaded());
    }
    return new Promise<Result>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new DomainError('timeout', 'The database did not answer in time. Send it again.'));
        waiting.settled = true;
      }, this.options.deadlineMs);
      const settle = <T>(act: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          this.waitingItems -= 1;
          this.waitingBytes -= size;
          waiting.settled = true;
          act(value);
        };
      };
      const waiting = { item, size, resolve: settle(resolve), reject: settle(reject), settled: false };
      this.waitingItems += 1;
      this.waitingBytes += size;
      this.enqueue(waiting);
    });
  }

  /** Waits until everything submitted so far has its result. */
  async idle(): Promise<void> {
    await Promise.all(this.running.filter((run) => run !== undefined));
  }

  private enqueue(waiting: Waiting<Item, Result>): void {
    const shard = this.options.shardOf(waiting.item);
    this.queues[shard]?.push(waiting);
    this.running[shard] ??= this.commitQueue(shard);
  }

  private async commitQueue(shard: number): Promise<void> {
    // Items submitted in this same turn of the event loop share the first commit.
    await Promise.resolve();
    for (let batch = this.takeBatch(shard); batch.length > 0; batch = this.takeBatch(shard)) {
      const results = await this.commit(batch, shard);
      const restMs = this.options.restMs?.(results) ?? 0;
      if (restMs > 0 && !this.isFull(shard)) await delay(restMs, undefined, { ref: false });
    }
    // In the same turn as the last, empty batch: an item that arrives later must find the shard free.
    this.running[shard] = undefined;
  }

  private takeBatch(shard: number): Waiting<Item, Result>[] {
    const queue = this.queues[shard] ?? [];
    let bytes = 0;
    let count = 0;
    for (const waiting of queue) {
      bytes += waiting.size;
      if (count === MAX_BATCH_ITEMS || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
      count += 1;
    }
    const batch = queue.splice(0, count);
    // An item whose deadline has passed is not written: its caller was asked to send it again.
    for (const waiting of batch) if (waiting.settled) waiting.reject(undefined);
    const live = batch.filter((waiting) => !waiting.settled);
    return live.length === 0 && queue.length > 0 ? this.takeBatch(shard) : live;
  }

  private isFull(shard: number): boolean {
    const queue = this.queues[shard] ?? [];
    return (
      queue.length >= MAX_BATCH_ITEMS || queue.reduce((sum, { size }) => sum + size, 0) >= MAX_BATCH_BYTES
    );
  }

  /** @returns the results; none if the batch failed. */
  private async commit(batch: readonly Waiting<Item, Result>[], shard: number): Promise<readonly Result[]> {
    const startedAt = performance.now();
    try {
      const results = await this.options.commit(
        batch.map(({ item }) => item),
        shard,
      );
      this.options.observer?.committed(batch.length, performance.now() - startedAt);
      batch.forEach((waiting, index) => waiting.resolve(results[index] as Result));
      return results;
    } catch (error) {
      this.options.observer?.failed(performance.now() - startedAt);
      if (batch.length === 1 || !this.options.isItemFault(error)) {
        for (const waiting of batch) waiting.reject(error);
        return [];
      }
      const middle = Math.ceil(batch.length / 2);
      const first = await this.commit(batch.slice(0, middle), shard);
      return [...first, ...(await this.commit(batch.slice(middle), shard))];
    }
  }
}

/** Returns the shard of `key`, from 0 to `shards` - 1; the same for the same key. */
export function shardOfKey(key: string, shards: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index += 1) hash = (hash * 31 + key.charCodeAt(index)) | 0;
  return Math.abs(hash % shards);
}
