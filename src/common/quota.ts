/** Limits how many each key may hold at once. */
export class Quota {
  private readonly held = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** Number of keys that hold something. */
  get size(): number {
    return this.held.size;
  }

  /**
   * Takes one for `key`. Returns the function that gives it back, which is safe to call again; undefined if `key` holds
   * `max` already.
   */
  acquire(key: string): (() => void) | undefined {
    const count = this.held.get(key) ?? 0;
    if (count >= this.max) return undefined;
    this.held.set(key, count + 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.release(key);
      isHeld = false;
    };
  }

  private release(key: string): void {
    const left = (this.held.get(key) ?? 0) - 1;
    if (left > 0) this.held.set(key, left);
    else this.held.delete(key);
  }
}
