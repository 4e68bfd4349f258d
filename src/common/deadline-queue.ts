/**
 * A queue of keys that each become due at a time. Setting, moving and taking a key cost the same for any number of
 * keys: times are grouped in slots of `slotMs`. A key is due at the end of its slot, never before its time.
 */
export class DeadlineQueue<K> {
  private readonly slotOf = new Map<K, number>();
  private readonly slots = new Map<number, Set<K>>();
  private nextSlot = Number.POSITIVE_INFINITY;

  constructor(private readonly slotMs: number) {}

  /** Number of keys that are not due yet, or have not been taken. */
  get size(): number {
    return this.slotOf.size;
  }

  /** Sets or moves the time of `key`, in milliseconds of the same clock as `now` in {@link takeDue}. */
  set(key: K, dueAt: number): void {
    const slot = Math.ceil(dueAt / this.slotMs);
    const before = this.slotOf.get(key);
    if (before === slot) return;
    if (before !== undefined) this.leave(before, key);
    this.slotOf.set(key, slot);
    const keys = this.slots.get(slot);
    if (keys) keys.add(key);
    else this.slots.set(slot, new Set([key]));
    this.nextSlot = Math.min(this.nextSlot, slot);
  }

  delete(key: K): void {
    const slot = this.slotOf.get(key);
    if (slot === undefined) return;
    this.slotOf.delete(key);
    this.leave(slot, key);
  }

  /** Removes and returns the keys that are due at `now`, the earliest first. */
  takeDue(now: number): K[] {
    const last = Math.floor(now / this.slotMs);
    if (last < this.nextSlot) return [];
    const due: K[] = [];
    const slots = [...this.slots.keys()].filter((slot) => slot <= last).toSorted((a, b) => a - b);
    for (const slot of slots) {
      for (const key of this.slots.get(slot) ?? []) {
        this.slotOf.delete(key);
        due.push(key);
      }
      this.slots.delete(slot);
    }
    this.nextSlot = this.slots.size === 0 ? Number.POSITIVE_INFINITY : last + 1;
    return due;
  }

  private leave(slot: number, key: K): void {
    const keys = this.slots.get(slot) as Set<K>;
    keys.delete(key);
    if (keys.size === 0) this.slots.delete(slot);
  }
}
