import { randomId } from './ids.js';
import { forget, isText, keep, keysFrom, recall } from './storage.js';

const isEntry = (value) =>
  [value?.clientMessageId, value?.content].every(isText) && typeof value.createdAt === 'number';

/**
 * Messages of one conversation that the server has not acked yet, kept over reloads. Each has a key of its own in the
 * storage, so that two tabs do not overwrite each other; that both send it is harmless, since they send the same id.
 */
export class Outbox {
  #prefix;

  constructor(conversationId) {
    this.#prefix = `outbox.${conversationId}/`;
    /** In the order of writing. */
    this.entries = keysFrom(this.#prefix)
      .map((key) => recall(key, isEntry))
      .filter(Boolean)
      .toSorted((a, b) => a.createdAt - b.createdAt);
  }

  add(content, respond) {
    const entry = { clientMessageId: randomId(), content, respond, createdAt: Date.now(), failure: null };
    this.entries.push(entry);
    this.#keep(entry);
    return entry;
  }

  /** Marks `entry` as refused, with the reason for the person; null: to be sent (again). */
  mark(entry, failure) {
    entry.failure = failure;
    this.#keep(entry);
  }

  remove(clientMessageId) {
    const before = this.entries.length;
    this.entries = this.entries.filter((entry) => entry.clientMessageId !== clientMessageId);
    forget(this.#prefix + clientMessageId);
    return this.entries.length < before;
  }

  #keep(entry) {
    keep(this.#prefix + entry.clientMessageId, entry);
  }
}
