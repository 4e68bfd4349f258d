import { EventEmitter } from 'node:events';
import { Relay, type Listener } from './relay.js';
import type { Topics } from './topics.js';

/** The relay of a single node. Listeners run synchronously, within `publish`. */
export class MemoryRelay extends Relay {
  override readonly published = { conversation: 0, user: 0, presence: 0, topic: 0, stream: 0, revocation: 0 };
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  override publish<K extends keyof Topics>(kind: K, id: string, event: Topics[K]): void {
    this.published[kind] += 1;
    this.emitter.emit(`${kind}:${id}`, event);
  }

  override subscribe<K extends keyof Topics>(kind: K, id: string, listener: Listener<Topics[K]>): () => void {
    const topic = `${kind}:${id}`;
    this.emitter.on(topic, listener);
    return () => this.emitter.off(topic, listener);
  }
}
