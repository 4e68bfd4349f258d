import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, overloaded } from './domain-error.js';
import {
  isFull,
  LOCKED_RETRY_MS,
  LockedRows,
  takeUnsettled,
  type PendingItem,
} from './group-commit-queue.js';

/** Receives the figures of a group commit. */
export interface GroupCommitObserver {
  /** Called once, with a function that returns how many items are waiting for their result. */
  countWaiting: (count: () => number) => void;
  committed: (items: number, durationMs: number) => void;
  failed: (durationMs: number) => void;
}

/** What `commit` returns for an item that it did not write, because another session has locked a row that the item needs. */
export const LOCKED = Symbol('locked');

export interface GroupCommitOptions<Item, Result> {
  /**
   * Writes a batch as one commit and returns the results in the batch's order. Called for one batch at a time per shard.
   * With `skipLocked` it waits for no lock: see {@link GroupCommitOptions.locks}.
   */
  commit: (
    batch: readonly Item[],
    shard: number,
    skipLocked: boolean,
  ) => Promise<readonly (Result | typeof LOCKED)[]>;
  /** The shard of an item, from 0. Items of one shard are never in two commits at once: see {@link shardOfKey}. */
  shardOf: (item: Item) => number;
  shards: number;
  /** Bytes that an item holds while it waits. */
  sizeOf: (item: Item) => number;
  /** Whether some item caused `error`. The batch is then retried in halves, so `commit` must be idempotent. */
  isItemFault: (error: unknown) => boolean;
  /**
   * How to keep one locked row from holding up its shard. A batch that failed because of a lock is committed again with
   * `skipLocked`; items that are still {@link LOCKED} then
   * leave their shard's queue and are retried in their order until their row is free.
   */
  locks?: {
    /** Items of one key need the same row, and are written in the order of their `submit`. */
    keyOf: (item: Item) => string;
    isLockFault: (error: unknown) => boolean;
  };
  /** How long an item may wait for its result, in milliseconds. */
  deadlineMs: number;
  /** How long a shard waits after a batch with these results before the next one, unless a full batch is waiting, in milliseconds; default 0. */
  restMs?: (results: readonly Result[]) => number;
  observer?: GroupCommitObserver;
}

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
  private readonly queues: PendingItem<Item, Result>[][];
  private readonly running: (Promise<void> | undefined)[];
  private readonly locked: LockedRows<Item, Result>[];
  private waitingItems = 0;
  private waitingBytes = 0;

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {
    this.queues = Array.from({ length: options.shards }, () => []);
    this.running = Array.from({ length: options.shards }, () => undefined);
    const keyOf = options.locks?.keyOf ?? (() => '');
    this.locked = this.queues.map((_, shard) => new LockedRows(keyOf, () => this.wake(shard)));
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
        reject(new DomainError('timeout', 'The database did not respond in time. Send the request again.'));
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
    while (this.running.some((run) => run !== undefined) || this.locked.some(({ size }) => size > 0)) {
      await Promise.all(this.running.filter((run) => run !== undefined));
      if (this.locked.some(({ size }) => size > 0)) await delay(LOCKED_RETRY_MS);
    }
  }

  private enqueue(waiting: PendingItem<Item, Result>): void {
    const shard = this.options.shardOf(waiting.item);
    this.queues[shard]?.push(waiting);
    this.wake(shard);
  }

  private wake(shard: number): void {
    this.running[shard] ??= this.commitQueue(shard);
  }

  private async commitQueue(shard: number): Promise<void> {
    const locked = this.locked[shard] as LockedRows<Item, Result>;
    // Items submitted in this same turn of the event loop share the first commit.
    await Promise.resolve();
    for (;;) {
      const due = locked.takeDue();
      if (due.length > 0) await this.commit(due, shard, true);
      const batch = this.takeBatch(shard);
      if (batch.length === 0) {
        if (due.length === 0 && !locked.hasDue) break;
        continue;
      }
      const results = await this.commit(batch, shard);
      const restMs = this.options.restMs?.(results) ?? 0;
      if (restMs > 0 && !isFull(this.queues[shard] ?? [])) await delay(restMs, undefined, { ref: false });
    }
    // In the same turn as the last, empty batch: an item that arrives later must find the shard free.
    this.running[shard] = undefined;
  }

  private takeBatch(shard: number): PendingItem<Item, Result>[] {
    const queue = this.queues[shard] ?? [];
    for (;;) {
      const batch = takeUnsettled(queue).filter((waiting) => !this.locked[shard]?.addIfLocked(waiting));
      if (batch.length > 0 || queue.length === 0) return batch;
    }
  }

  /** @returns the results of what was written; none if the batch failed. */
  private async commit(
    batch: readonly PendingItem<Item, Result>[],
    shard: number,
    skipLocked = false,
  ): Promise<readonly Result[]> {
    const { commit, isItemFault, locks, observer } = this.options;
    const startedAt = performance.now();
    try {
      const items = batch.map(({ item }) => item);
      const results = await commit(items, shard, skipLocked);
      const written = this.settle(batch, results, shard);
      observer?.committed(written.length, performance.now() - startedAt);
      return written;
    } catch (error) {
      observer?.failed(performance.now() - startedAt);
      if (!skipLocked && locks?.isLockFault(error)) return await this.commit(batch, shard, true);
      if (batch.length === 1 || !isItemFault(error)) {
        for (const waiting of batch) waiting.reject(error);
        return [];
      }
      const middle = Math.ceil(batch.length / 2);
      const first = await this.commit(batch.slice(0, middle), shard, skipLocked);
      return [...first, ...(await this.commit(batch.slice(middle), shard, skipLocked))];
    }
  }

  private settle(
    batch: readonly PendingItem<Item, Result>[],
    results: readonly (Result | typeof LOCKED)[],
    shard: number,
  ): Result[] {
    const locked: PendingItem<Item, Result>[] = [];
    const written: Result[] = [];
    for (const [index, waiting] of batch.entries()) {
      const result = results[index] as Result | typeof LOCKED;
      if (result === LOCKED) locked.push(waiting);
      else {
        waiting.resolve(result);
        written.push(result);
      }
    }
    this.locked[shard]?.putBack(locked);
    return written;
  }
}

/** Returns the shard of `key`, from 0 to `shards` - 1; the same for the same key. */
export function shardOfKey(key: string, shards: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index += 1) hash = (hash * 31 + key.charCodeAt(index)) | 0;
  return Math.abs(hash % shards);
}
