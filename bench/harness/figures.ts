/** The value that the share `quantile` (0 to 1) of `sorted` does not exceed; NaN of nothing. */
export function percentile(sorted: Float64Array, quantile: number): number {
  const index = Math.min(sorted.length - 1, Math.ceil(quantile * sorted.length) - 1);
  return sorted[Math.max(0, index)] ?? Number.NaN;
}

/** All samples in one, ascending. */
export function sortSamples(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.toSorted();
}

/** One figure over the rounds of a run. */
export interface Figure {
  median: number;
  min: number;
  max: number;
  rounds: number[];
}

export function figureOf(rounds: readonly number[]): Figure {
  const sorted = Float64Array.from(rounds).toSorted();
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, rounds: [...rounds] };
}

/** Collects numbers without keeping an object for each. */
export class Samples {
  private values = new Float64Array(1024);
  private count = 0;

  add(value: number): void {
    if (this.count === this.values.length) {
      const larger = new Float64Array(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.count++] = value;
  }

  get size(): number {
    return this.count;
  }

  /** What was collected since the last call. */
  take(): Float64Array {
    const taken = this.values.slice(0, this.count);
    this.count = 0;
    return taken;
  }
}
