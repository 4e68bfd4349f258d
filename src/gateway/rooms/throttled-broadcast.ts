const FLUSH_MS = 500;

export interface ThrottledBroadcastOptions<Item> {
  /** Of several waiting items with the same key only the last is sent. */
  keyOf: (item: Item) => string;
  /** Returns how many connections the item is written to. */
  audience: (item: Item) => number;
  send: (item: Item) => void;
  /** Budget of socket writes in each half second. */
  writes: number;
}

/**
 * Broadcasts with a budget of socket writes: among n users, a change of each goes to all, which is n² writes. Within the
 * budget an item is sent at once; beyond it items wait, and the one that has waited longest goes first (P7).
 */
export class ThrottledBroadcast<Item> {
  private readonly waiting = new Map<string, Item>();
  private timer: NodeJS.Timeout | undefined;
  private budget: number;

  constructor(private readonly options: ThrottledBroadcastOptions<Item>) {
    this.budget = options.writes;
  }

  add(item: Item): void {
    this.waiting.set(this.options.keyOf(item), item);
    this.spend();
    this.timer ??= setTimeout(() => this.refill(), FLUSH_MS).unref();
  }

  /** Changes the waiting item of `key`; does nothing where none waits. */
  update(key: string, change: (item: Item) => Item): void {
    const item = this.waiting.get(key);
    if (item !== undefined) this.waiting.set(key, change(item));
  }

  close(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private refill(): void {
    const { writes } = this.options;
    this.timer = undefined;
    // A debt remains: an item for an audience larger than the budget uses up several rounds.
    this.budget = Math.min(writes, this.budget + writes);
    this.spend();
    if (this.waiting.size > 0 || this.budget < writes) {
      this.timer = setTimeout(() => this.refill(), FLUSH_MS).unref();
    }
  }

  private spend(): void {
    const { audience, send } = this.options;
    for (const [key, item] of this.waiting) {
      if (this.budget <= 0) return;
      this.waiting.delete(key);
      this.budget -= audience(item);
      send(item);
    }
  }
}
