/** An item of a group commit that has no result yet. */
export interface PendingItem<Item, Result> {
  readonly item: Item;
  /** In bytes. */
  readonly size: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  /** Whether the caller has its result or error, also because the deadline has passed. */
  settled: boolean;
}

/** How long after an attempt the items of a locked row are retried, in milliseconds. */
export const LOCKED_RETRY_MS = 100;
const MAX_BATCH_ITEMS = 512;
const MAX_BATCH_BYTES = 1024 * 1024;

/** Whether `queue` holds enough for a full batch. */
export function isFull(queue: readonly { size: number }[]): boolean {
  return queue.length >= MAX_BATCH_ITEMS || queue.reduce((sum, { size }) => sum + size, 0) >= MAX_BATCH_BYTES;
}

/** Takes a batch off `queue`, without the items whose deadline has passed: their callers were asked to retry. */
export function takeUnsettled<Item, Result>(queue: PendingItem<Item, Result>[]): PendingItem<Item, Result>[] {
  let bytes = 0;
  let count = 0;
  for (const waiting of queue) {
    bytes += waiting.size;
    if (count === MAX_BATCH_ITEMS || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
    count += 1;
  }
  const batch = queue.splice(0, count);
  // Their callers have an error already: this only ends the counting of these items.
  for (const waiting of batch) if (waiting.settled) waiting.reject(undefined);
  return batch.filter((waiting) => !waiting.settled);
}

/** Holds the items of a shard whose row is locked by another session. The items of one row are written in the order of their `submit`. */
export class LockedRows<Item, Result> {
  private readonly rows = new Map<string, { items: PendingItem<Item, Result>[]; isDue: boolean }>();

  /** `onDue` is called when items are due for a retry. */
  constructor(
    private readonly keyOf: (item: Item) => string,
    private readonly onDue: () => void,
  ) {}

  /** Number of locked rows. */
  get size(): number {
    return this.rows.size;
  }

  get hasDue(): boolean {
    return [...this.rows.values()].some(({ isDue }) => isDue);
  }

  /** Appends an item to those of its row if that row is locked. @returns whether it is. */
  addIfLocked(waiting: PendingItem<Item, Result>): boolean {
    const row = this.rows.get(this.keyOf(waiting.item));
    row?.items.push(waiting);
    return row !== undefined;
  }

  /** Puts back items that were locked in a commit, before the others that wait for the same rows. */
  putBack(tried: readonly PendingItem<Item, Result>[]): void {
    const byKey = new Map<string, PendingItem<Item, Result>[]>();
    for (const waiting of tried) {
      const key = this.keyOf(waiting.item);
      const items = byKey.get(key);
      if (items) items.push(waiting);
      else byKey.set(key, [waiting]);
    }
    for (const [key, items] of byKey) {
      const row = { items: [...items, ...(this.rows.get(key)?.items ?? [])], isDue: false };
      this.rows.set(key, row);
      setTimeout(() => {
        row.isDue = true;
        this.onDue();
      }, LOCKED_RETRY_MS).unref();
    }
  }

  /** Takes a batch of items that are due. A row stays as long as some of its items wait. */
  takeDue(): PendingItem<Item, Result>[] {
    const due: PendingItem<Item, Result>[] = [];
    for (const [key, row] of this.rows) {
      if (!row.isDue) continue;
      due.push(...takeUnsettled(row.items));
      if (row.items.length === 0) this.rows.delete(key);
      if (isFull(due)) break;
    }
    return due;
  }
}
