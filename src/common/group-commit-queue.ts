/** An item of a group commit, until it has its result. */
export interface Waiting<Item, Result> {
  readonly item: Item;
  /** Bytes. */
  readonly size: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  settled: boolean;
}

/** How long after a try the items of a locked row are tried again, in milliseconds. */
export const LOCKED_RETRY_MS = 100;
const MAX_BATCH_ITEMS = 512;
const MAX_BATCH_BYTES = 1024 * 1024;

/** Whether a batch of `queue` has room for no more. */
export function isFull(queue: readonly { size: number }[]): boolean {
  return queue.length >= MAX_BATCH_ITEMS || queue.reduce((sum, { size }) => sum + size, 0) >= MAX_BATCH_BYTES;
}

/** Takes a batch off `queue`, without the items whose deadline has passed: their callers were asked to send them again. */
export function takeLive<Item, Result>(queue: Waiting<Item, Result>[]): Waiting<Item, Result>[] {
  let bytes = 0;
  let count = 0;
  for (const waiting of queue) {
    bytes += waiting.size;
    if (count === MAX_BATCH_ITEMS || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
    count += 1;
  }
  const batch = queue.splice(0, count);
  for (const waiting of batch) if (waiting.settled) waiting.reject(undefined);
  return batch.filter((waiting) => !waiting.settled);
}

/** Items of a shard that wait for a row that another session has locked. Each row's are written in the order of their submits. */
export class LockedRows<Item, Result> {
  private readonly rows = new Map<string, { items: Waiting<Item, Result>[]; isDue: boolean }>();

  /** `onDue` is called when items may be tried again. */
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

  /** Adds an item if its row is locked, behind those that wait for it. @returns whether it is. */
  join(waiting: Waiting<Item, Result>): boolean {
    const row = this.rows.get(this.keyOf(waiting.item));
    row?.items.push(waiting);
    return row !== undefined;
  }

  /** Adds items that were tried in vain, before those that wait for the same rows. */
  add(tried: readonly Waiting<Item, Result>[]): void {
    const keys = new Set(tried.map(({ item }) => this.keyOf(item)));
    for (const key of keys) {
      const items = tried.filter(({ item }) => this.keyOf(item) === key);
      const row = { items: [...items, ...(this.rows.get(key)?.items ?? [])], isDue: false };
      this.rows.set(key, row);
      setTimeout(() => {
        row.isDue = true;
        this.onDue();
      }, LOCKED_RETRY_MS).unref();
    }
  }

  /** Takes a batch of items that are due. A row stays as long as some of its items wait. */
  takeDue(): Waiting<Item, Result>[] {
    const due: Waiting<Item, Result>[] = [];
    for (const [key, row] of this.rows) {
      if (!row.isDue) continue;
      due.push(...takeLive(row.items));
      if (row.items.length === 0) this.rows.delete(key);
      if (isFull(due)) break;
    }
    return due;
  }
}
