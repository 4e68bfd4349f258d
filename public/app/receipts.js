const DELAY_MS = 400;

/** Tells the server how far this client has got: cumulative, and only what it has without holes. */
export class Receipts {
  #conversation;
  #timer;
  #delivered = 0;
  #read = 0;

  constructor(conversation) {
    this.#conversation = conversation;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** To be called whenever the position or what the person sees may have changed. */
  schedule() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, DELAY_MS);
  }

  async #send() {
    const { id, connection, log, seen, joined } = this.#conversation;
    const seq = log.lastSeq;
    if (!joined || seq <= (seen ? this.#read : this.#delivered)) return;
    try {
      await connection.request('message:ack', { conversationId: id, seq, ...(seen && { read: true }) });
      this.#delivered = seq;
      if (seen) this.#read = seq;
    } catch (failure) {
      // The next connection joins and acks again; a refusal with a connection is tried again.
      if (failure.retryable && connection.connected) this.schedule();
    }
  }
}
