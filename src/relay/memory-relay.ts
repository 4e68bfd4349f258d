import { EventEmitter } from 'node:events';
import { Relay, type Listener } from './relay.js';

/** The relay of a single node: listeners run at once, within `publish`. */
export class MemoryRelay extends Relay {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  override publish(kind: string, id: string, event: unknown): void {
    this.emitter.emit(`${kind}:${id}`, event);
  }

  override subscribe(kind: string, id: string, listener: Listener<unknown>): () => void {
    const topic = `${kind}:${id}`;
    this.emitter.on(topic, listener);
    return () => this.emitter.off(topic, listener);
  }
}
