import type { Topics } from './topics.js';

export type Listener<T> = (event: T) => void;

/**
 * Ephemeral fan-out between connections and nodes. Order is kept per publisher and topic. An event without a listener
 * is lost: nothing here may be the only copy of a fact.
 */
export abstract class Relay {
  /** Number of events that this process has published since its start, by kind. */
  abstract readonly published: Readonly<Record<keyof Topics, number>>;

  /** Sends `event` to every listener of the topic, on every node. Never throws and never waits. */
  abstract publish<K extends keyof Topics>(kind: K, id: string, event: Topics[K]): void;

  /** Adds a listener until the returned function is called. Listeners must not throw. */
  abstract subscribe<K extends keyof Topics>(kind: K, id: string, listener: Listener<Topics[K]>): () => void;
}
