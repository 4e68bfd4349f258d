const TERMINAL = new Set(['complete', 'cancelled', 'error']);

/** One answer while it is written: the stream's chunks as far as they are known without holes. */
export class Answer {
  /** The stream's status object; null until it is known. */
  state = null;
  text = '';
  reasoning = '';
  /** What the provider says that it is doing; empty once there is text. */
  progress = '';
  /** The terminal chunk; null while it runs. */
  end = null;
  /** Sequence of the last chunk that is in the text; null until the beginning or a snapshot is known. */
  #last = null;
  #held = new Map();

  constructor(streamId) {
    this.streamId = streamId;
  }

  get hasHole() {
    return !this.end && this.#held.size > 0;
  }

  /** `stream:started`: everything comes from sequence 0 on. @returns whether something changed. */
  begin(state) {
    this.state ??= state;
    this.#last ??= -1;
    return this.#release();
  }

  /** A snapshot from a join. @returns whether something changed. */
  adopt({ snapshot, ...state }) {
    this.state = state;
    if (this.#last === null || snapshot.sequence > this.#last) {
      this.text = snapshot.text;
      this.#last = snapshot.sequence;
    }
    this.#release();
    return true;
  }

  /** A chunk, in any order, also a repeated one. @returns whether something changed. */
  take(chunk) {
    if (this.end || (this.#last !== null && chunk.sequence <= this.#last)) return false;
    this.#held.set(chunk.sequence, chunk);
    return this.#last !== null && this.#release();
  }

  #release() {
    let changed = false;
    for (const sequence of this.#held.keys()) if (sequence <= this.#last) this.#held.delete(sequence);
    for (let next; (next = this.#held.get(this.#last + 1)); changed = true) {
      this.#held.delete(next.sequence);
      this.#last = next.sequence;
      this.#apply(next);
    }
    return changed;
  }

  #apply(chunk) {
    if (chunk.type === 'content') this.text += chunk.content;
    else if (chunk.type === 'reasoning') this.reasoning += chunk.content;
    else if (chunk.type === 'progress') this.progress = chunk.content;
    else if (TERMINAL.has(chunk.type)) this.end = chunk;
  }
}
