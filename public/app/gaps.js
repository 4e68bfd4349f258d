const PATIENCE_MS = 1000;

/** Asks for what is missing: messages and chunks that did not come by themselves. */
export class Gaps {
  #conversation;
  #timer;
  #loadingOlder = false;

  constructor(conversation) {
    this.#conversation = conversation;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Gives what is missing a second to come by itself, then asks for it. */
  repairSoon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#repair();
    }, PATIENCE_MS);
  }

  /** Asks for what lies after the last message, page by page. @throws {Failure} */
  async catchUp() {
    const conversation = this.#conversation;
    for (let more = true; more;) {
      const before = conversation.log.lastSeq;
      const page = await conversation.history({ afterSeq: before });
      conversation.take(page.messages, true);
      more = page.hasMore && conversation.log.lastSeq > before;
    }
  }

  /** Loads the page before the first message. Does nothing where there is none, or while one is loading. */
  async loadOlder() {
    const conversation = this.#conversation;
    const { log, joined } = conversation;
    if (this.#loadingOlder || !log.hasOlder || !joined) return;
    this.#loadingOlder = true;
    try {
      const page = await conversation.history({ beforeSeq: log.firstSeq });
      log.prepend(page.messages, page.hasMore);
      conversation.emit('change');
    } catch {
      // The next scroll asks again.
    } finally {
      this.#loadingOlder = false;
    }
  }

  async #repair() {
    const { log, answers, joined } = this.#conversation;
    if (!joined) return;
    try {
      // A join fills both: messages by `afterSeq`, answers by their snapshots.
      if (answers.hasHole) await this.#conversation.join();
      else if (log.hasHole || answers.awaitsMessage) await this.catchUp();
    } catch (failure) {
      // Without a connection the next one joins; else it is asked again.
      if (failure.retryable) this.repairSoon();
    }
  }
}
