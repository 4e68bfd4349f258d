const FLUSH_MS = 500;

export interface ThrottledBroadcastOptions<Item> {
  /** Of two items with one key that wait only the later one is told. */
  keyOf: (item: Item) => string;
  /** How many connections an item is written to. */
  audience: (item: Item) => number;
  tell: (item: Item) => void;
  /** Writes in each half of a second. */
  writes: number;
}

/**
 * Tells many of many at a bounded cost: among n people everybody's news goes to everybody, n² writes. So they have a budget of
 * writes. Within it an item is told at once; what exceeds it waits, the longest first (P7).
 */
export class ThrottledBroadcast<Item> {
  private readonly waiting = new Map<string, Item>();
  private timer: NodeJS.Timeout | undefined;
  private left: number;

  constructor(private readonly options: ThrottledBroadcastOptions<Item>) {
    this.left = options.writes;
  }

  hear(item: Item): void {
    this.waiting.set(this.options.keyOf(item), item);
    this.spend();
    this.timer ??= setTimeout(() => this.renew(), FLUSH_MS).unref();
  }

  /** Changes the item of `key`, if it still waits. */
  revise(key: string, change: (item: Item) => Item): void {
    const item = this.waiting.get(key);
    if (item !== undefined) this.waiting.set(key, change(item));
  }

  close(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private renew(): void {
    const { writes } = this.options;
    this.timer = undefined;
    // A debt stays: to an audience larger than the budget one item is told in several rounds.
    this.left = Math.min(writes, this.left + writes);
    this.spend();
    if (this.waiting.size > 0 || this.left < writes) {
      this.timer = setTimeout(() => this.renew(), FLUSH_MS).unref();
    }
  }

  private spend(): void {
    const { audience, tell } = this.options;
    for (const [key, item] of this.waiting) {
      if (this.left <= 0) return;
      this.waiting.delete(key);
      this.left -= audience(item);
      tell(item);
    }
  }
}
