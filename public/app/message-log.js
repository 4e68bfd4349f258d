/** The messages of one conversation as far as they are known without holes; what comes too early is held. */
export class MessageLog {
  /** Ascending by `seq`, without holes. */
  messages = [];
  #held = new Map();
  #streams = new Set();

  /** Whether the first page is there. Before, everything is held. */
  started = false;
  /** Everything up to this `seq` is known, or older than the first page. */
  lastSeq = 0;
  /** Whether the server has messages older than the first one here. */
  hasOlder = false;

  get hasHole() {
    return this.started && this.#held.size > 0;
  }

  get firstSeq() {
    return this.messages[0]?.seq ?? this.lastSeq + 1;
  }

  /** Whether the answer of `streamId` is here as a message. */
  hasAnswer(streamId) {
    return this.#streams.has(streamId);
  }

  /** The newest page: where the log begins. @returns messages that became readable. */
  begin(messages, hasOlder) {
    this.started = true;
    this.hasOlder = hasOlder;
    this.lastSeq = (messages[0]?.seq ?? 1) - 1;
    return this.take(messages);
  }

  /** New messages in any order, also repeated ones. @returns those that became readable, in order. */
  take(messages) {
    for (const message of messages) {
      if (!this.started || message.seq > this.lastSeq) this.#held.set(message.seq, message);
    }
    return this.started ? this.#release() : [];
  }

  /** A page that ends right before {@link firstSeq}. */
  prepend(messages, hasOlder) {
    const older = messages.filter(({ seq }) => seq < this.firstSeq);
    for (const { streamId } of older) if (streamId) this.#streams.add(streamId);
    this.messages = [...older, ...this.messages];
    this.hasOlder = hasOlder && older.length > 0;
  }

  #release() {
    const readable = [];
    for (const seq of this.#held.keys()) if (seq <= this.lastSeq) this.#held.delete(seq);
    for (let next; (next = this.#held.get(this.lastSeq + 1));) {
      this.#held.delete(next.seq);
      this.lastSeq = next.seq;
      if (next.streamId) this.#streams.add(next.streamId);
      readable.push(next);
    }
    this.messages.push(...readable);
    return readable;
  }
}
