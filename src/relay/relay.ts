/** What one node tells the others and itself. Lost when nobody listens: nothing here may be the only copy of a fact. */
export type Listener<T> = (event: T) => void;

/**
 * Ephemeral fan-out between connections and nodes. Order is kept per publisher and topic.
 * @typeParam Topics from topic kind (`user`, `conversation`) to the event that travels on it.
 */
export abstract class Relay<Topics extends Record<string, unknown> = Record<string, unknown>> {
  /** Gives `event` to every listener of the topic, on every node. Never throws and never waits. */
  abstract publish<K extends keyof Topics & string>(kind: K, id: string, event: Topics[K]): void;

  /** Listens until the returned function is called. */
  abstract subscribe<K extends keyof Topics & string>(
    kind: K,
    id: string,
    listener: Listener<Topics[K]>,
  ): () => void;
}
