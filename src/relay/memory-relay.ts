import { EventEmitter } from 'node:events';
import { Relay, type Listener } from './relay.js';
import type { Topics } from './topics.js';

/** The relay of a single node: listeners run at once, within `publish`. */
export class MemoryRelay extends Relay {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  override publish<K extends keyof Topics>(kind: K, id: string, event: Topics[K]): void {
    this.emitter.emit(`${kind}:${id}`, event);
  }

  override subscribe<K extends keyof Topics>(kind: K, id: string, listener: Listener<Topics[K]>): () => void {
    const topic = `${kind}:${id}`;
    this.emitter.on(topic, listener);
    return () => this.emitter.off(topic, listener);
  }
}
