import { Answer } from './answer.js';

/** How long an answer may be missing from the server's list before it is taken for gone. */
const GONE_AFTER_MS = 3000;

/** The answers of one conversation that are being written, or that ended without a message. */
export class Answers {
  #all = new Map();
  #log;
  /** What the messages do not have, of the answers that became messages here: the terminal chunk and the reasoning. */
  #extras = new Map();
  /** Streams that belong to another conversation, which this connection has just left. */
  #foreign = new Set();

  constructor(log) {
    this.#log = log;
  }

  /** What to show: known, and not yet a message, in the order of their beginning. */
  get shown() {
    return [...this.#all.values()].filter(({ state, streamId }) => state && !this.#log.hasAnswer(streamId));
  }

  /** Whether chunks are missing, so that a new snapshot is wanted. */
  get hasHole() {
    return [...this.#all.values()].some((answer) => answer.hasHole);
  }

  /** Whether an answer has ended whose message has not come yet. */
  get awaitsMessage() {
    return this.shown.some(({ end }) => end?.metadata?.messageId);
  }

  get(streamId) {
    return this.#all.get(streamId);
  }

  /** `stream:started` */
  begin(state) {
    this.#foreign.delete(state.streamId);
    return this.#one(state.streamId).begin(state);
  }

  /** `stream:chunk` @returns the answer if it changed. */
  take(chunk) {
    if (this.#foreign.has(chunk.streamId) || this.#log.hasAnswer(chunk.streamId)) return undefined;
    const answer = this.#one(chunk.streamId);
    return answer.take(chunk) ? answer : undefined;
  }

  /** `stream:status` */
  status({ streamId, status }) {
    const answer = this.#all.get(streamId);
    if (answer?.state) answer.state = { ...answer.state, status };
    return answer;
  }

  /** The running streams of a join: all that are not among them have ended while nobody was looking. */
  adopt(activeStreams, onGone) {
    for (const active of activeStreams) this.#one(active.streamId).adopt(active);
    this.#dropForeign();
    const running = new Set(activeStreams.map(({ streamId }) => streamId));
    const missing = [...this.#all.values()].filter(({ streamId, end }) => !end && !running.has(streamId));
    if (missing.length === 0) return;
    // The message of one that ended during the join may still be on its way.
    setTimeout(() => {
      for (const answer of missing) if (!answer.end && answer.missing) this.#all.delete(answer.streamId);
      onGone();
    }, GONE_AFTER_MS);
    for (const answer of missing) answer.missing = true;
  }

  /** Forgets the answers that are messages now. */
  tidy() {
    for (const [id, { end, reasoning }] of this.#all) {
      if (!this.#log.hasAnswer(id)) continue;
      this.#all.delete(id);
      this.#extras.set(id, { end, reasoning });
    }
  }

  /** Forgets an answer that has ended without a message. */
  drop(streamId) {
    if (this.#all.get(streamId)?.end) this.#all.delete(streamId);
  }

  /** The terminal chunk and the reasoning of an answer that became a message here; undefined of others. */
  extrasOf(streamId) {
    return this.#extras.get(streamId);
  }

  #dropForeign() {
    for (const { streamId, state } of this.#all.values()) {
      if (state) continue;
      this.#all.delete(streamId);
      this.#foreign.add(streamId);
    }
  }

  #one(streamId) {
    const answer = this.#all.get(streamId) ?? new Answer(streamId);
    answer.missing = false;
    this.#all.set(streamId, answer);
    return answer;
  }
}
