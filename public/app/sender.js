import { explain } from './failure.js';

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 15_000;

/** Sends a conversation's outbox, one message after the other, until the server has acked each of them. */
export class Sender {
  #conversation;
  #busy = false;
  #timer;
  #tries = 0;

  constructor(conversation) {
    this.#conversation = conversation;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#conversation = null;
  }

  /** Sends what waits. Does nothing while not joined: joining calls it again. */
  async flush() {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    try {
      for (let entry; (entry = this.#next());) await this.#send(entry);
    } catch (failure) {
      this.#later(failure);
    } finally {
      this.#busy = false;
    }
  }

  #next() {
    if (!this.#conversation?.joined) return undefined;
    return this.#conversation.outbox.entries.find((entry) => !entry.failure && !entry.acked);
  }

  async #send(entry) {
    const conversation = this.#conversation;
    const { clientMessageId, content, respond } = entry;
    const payload = { conversationId: conversation.id, clientMessageId, content, respond };
    try {
      const { message } = await conversation.connection.request('message:send', payload);
      this.#tries = 0;
      conversation.sent(entry, message);
    } catch (failure) {
      if (failure.retryable) throw failure;
      conversation.refused(entry, explain(failure));
    }
  }

  #later(failure) {
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#tries);
    this.#tries += 1;
    if (this.#conversation && failure.code !== 'unreachable')
      this.#conversation.emit('notice', explain(failure));
    this.#timer = setTimeout(() => void this.flush(), Math.max(delay, failure.retryAfterMs ?? 0));
  }
}
