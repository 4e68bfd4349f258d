import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from './domain-error.js';

/** Hears of a group commit's batches. */
export interface GroupCommitObserver {
  /** Is given, once, who tells how many items wait for their answer. */
  countWaiting: (count: () => number) => void;
  committed: (items: number, durationMs: number) => void;
  failed: (durationMs: number) => void;
}

export interface GroupCommitOptions<Item, Result> {
  /** Writes a batch as one commit and answers in the batch's order. Runs once at a time per lane. */
  commit: (batch: readonly Item[], lane: number) => Promise<readonly Result[]>;
  /** Which lane an item takes, so that items of one key are never in two commits at once. */
  laneOf: (item: Item) => number;
  lanes: number;
  /** Bytes that an item holds while it waits. */
  sizeOf: (item: Item) => number;
  /** Whether `error` is the fault of some item: the batch is then tried again by halves. `commit` must be idempotent. */
  isItemFault: (error: unknown) => boolean;
  /** How long an item may wait for its answer, in milliseconds. */
  deadlineMs: number;
  /** How long a lane gathers after a batch with these results, unless a full batch waits, in milliseconds; default 0. */
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
 * Group commit: what arrives while a lane's commit is under way is its next batch. No timer delays a lone item, unless its
 * lane rests after a dear batch. What waits is bounded (P7): beyond the bounds, `submit` refuses at once.
 */
export class GroupCommit<Item, Result> {
  private readonly queues: Waiting<Item, Result>[][];
  private readonly running: (Promise<void> | undefined)[];
  private waitingItems = 0;
  private waitingBytes = 0;

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {
    this.queues = Array.from({ length: options.lanes }, () => []);
    this.running = Array.from({ length: options.lanes }, () => undefined);
    options.observer?.countWaiting(() => this.waitingItems);
  }

  /**
   * Resolves with the item's result when its batch is committed.
   * @throws {DomainError} `timeout` when no answer came in time (the item may be committed all the same), `internal`
   * when too much waits already; else whatever `commit` threw for this item.
   */
  submit(item: Item): Promise<Result> {
    const size = this.options.sizeOf(item);
    if (this.waitingItems >= MAX_WAITING_ITEMS || this.waitingBytes + size > MAX_WAITING_BYTES) {
      const message = 'The server has more to store than it can keep up with. Try again in a moment.';
      return Promise.reject(new DomainError('internal', message, { retryAfterMs: 1000 }));
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

  /** Waits until everything submitted so far has its answer. */
  async idle(): Promise<void> {
    await Promise.all(this.running.filter((run) => run !== undefined));
  }

  private enqueue(waiting: Waiting<Item, Result>): void {
    const lane = this.options.laneOf(waiting.item);
    this.queues[lane]?.push(waiting);
    this.running[lane] ??= this.drain(lane);
  }

  private async drain(lane: number): Promise<void> {
    // Items submitted in this same turn of the event loop share the first commit.
    await Promise.resolve();
    for (let batch = this.takeBatch(lane); batch.length > 0; batch = this.takeBatch(lane)) {
      const results = await this.commit(batch, lane);
      const restMs = this.options.restMs?.(results) ?? 0;
      if (restMs > 0 && !this.isFull(lane)) await delay(restMs, undefined, { ref: false });
    }
    // In the same turn as the empty look: an item that comes later must find the lane free.
    this.running[lane] = undefined;
  }

  private takeBatch(lane: number): Waiting<Item, Result>[] {
    const queue = this.queues[lane] ?? [];
    let bytes = 0;
    let count = 0;
    for (const waiting of queue) {
      bytes += waiting.size;
      if (count === MAX_BATCH_ITEMS || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
      count += 1;
    }
    const batch = queue.splice(0, count);
    // Who gave up waiting before being written is not written: its sender was told to send again.
    for (const waiting of batch) if (waiting.settled) waiting.reject(undefined);
    const live = batch.filter((waiting) => !waiting.settled);
    return live.length === 0 && queue.length > 0 ? this.takeBatch(lane) : live;
  }

  private isFull(lane: number): boolean {
    const queue = this.queues[lane] ?? [];
    return (
      queue.length >= MAX_BATCH_ITEMS || queue.reduce((sum, { size }) => sum + size, 0) >= MAX_BATCH_BYTES
    );
  }

  /** @returns what was answered; nothing where it failed. */
  private async commit(batch: readonly Waiting<Item, Result>[], lane: number): Promise<readonly Result[]> {
    const startedAt = performance.now();
    try {
      const results = await this.options.commit(
        batch.map(({ item }) => item),
        lane,
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
      const first = await this.commit(batch.slice(0, middle), lane);
      return [...first, ...(await this.commit(batch.slice(middle), lane))];
    }
  }
}

/** A lane for `key`: the same key always takes the same one of `lanes`. */
export function shardOfKey(key: string, lanes: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index += 1) hash = (hash * 31 + key.charCodeAt(index)) | 0;
  return Math.abs(hash % lanes);
}
