const KEEP_SECONDS = 600;
/** Time to first chunk is of the answers that began to show within so many seconds. */
const LATENCY_WINDOW = 60;

/** The last ten minutes of samples, and what only two samples together tell: rates, and quantiles of what happened lately. */
export class History {
  #samples = [];

  /** Takes a new answer of the server. Another process, or one that began anew, has another history. */
  add(figures, time = Date.now() / 1000) {
    const last = this.#samples.at(-1);
    const isOther = last && (last.figures.node !== figures.node || last.figures.uptimeMs > figures.uptimeMs);
    if (isOther) this.#samples.push({ time, figures, begins: true });
    else if (last?.figures.uptimeMs !== figures.uptimeMs)
      this.#samples.push({ time, figures, begins: !last });
    const first = this.#samples.findIndex((sample) => sample.time >= time - KEEP_SECONDS);
    if (first > 0) this.#samples.splice(0, first);
  }

  get last() {
    return this.#samples.at(-1)?.figures;
  }

  get times() {
    return this.#samples.map(({ time }) => time);
  }

  /** A value of each sample. */
  values(read) {
    return this.#samples.map(({ figures }) => read(figures));
  }

  /** How fast a total grows, a second; null where it is not known. */
  rates(read) {
    return this.#samples.map((sample, index) => {
      const before = this.#samples[index - 1];
      if (!before || sample.begins) return null;
      const seconds = (sample.figures.uptimeMs - before.figures.uptimeMs) / 1000;
      return Math.max(0, (read(sample.figures) - read(before.figures)) / seconds);
    });
  }

  /** A quantile of the time to first chunk, in milliseconds, over the minute before each sample; null where none began. */
  latencies(share) {
    let from = 0;
    return this.#samples.map((sample, index) => {
      if (sample.begins) from = index;
      while (this.#samples[from].time < sample.time - LATENCY_WINDOW) from += 1;
      return quantileMs(this.#samples[from].figures.timeToFirstChunk, sample.figures.timeToFirstChunk, share);
    });
  }
}

function quantileMs(before, after, share) {
  const { bounds } = after;
  const counts = after.counts.map((count, index) => count - (before.counts[index] ?? 0));
  const rank = share * (counts.at(-1) ?? 0);
  if (rank <= 0) return null;
  const index = counts.findIndex((count) => count >= rank);
  if (index >= bounds.length) return bounds.at(-1) * 1000;
  const lower = bounds[index - 1] ?? 0;
  const below = counts[index - 1] ?? 0;
  return 1000 * (lower + ((bounds[index] - lower) * (rank - below)) / (counts[index] - below));
}
