import type { Topics } from './topics.js';

export type Listener<T> = (event: T) => void;

/**
 * Ephemeral fan-out between connections and nodes. Order is kept per publisher and topic. What is published while
 * nobody listens is lost: nothing here may be the only copy of a fact.
 */
export abstract class Relay {
  /** How much this process has published since its start, by kind. */
  abstract readonly published: Readonly<Record<keyof Topics, number>>;

  /** Gives `event` to every listener of the topic, on every node. Never throws and never waits. */
  abstract publish<K extends keyof Topics>(kind: K, id: string, event: Topics[K]): void;

  /** Listens until the returned function is called. Listeners must not throw. */
  abstract subscribe<K extends keyof Topics>(kind: K, id: string, listener: Listener<Topics[K]>): () => void;
}
