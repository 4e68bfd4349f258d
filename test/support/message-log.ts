import type { Message } from '../../src/protocol/index.js';

/**
 * What a client knows of one conversation, by the protocol's rules for clients (section 4.5): without holes, each message
 * once. What comes too early is held.
 */
export class MessageLog {
  readonly messages: Message[] = [];
  /** Messages that came again with other bytes: there must be none (P3). */
  readonly contradictions: string[] = [];
  private readonly held = new Map<number, Message>();

  /** Everything up to this `seq` is here. */
  get lastSeq(): number {
    return this.messages.length;
  }

  /** Whether something was held because what is before it has not come. */
  get hasHole(): boolean {
    return this.held.size > 0;
  }

  /** @returns whether the log has grown. */
  take(message: Message): boolean {
    const before = this.lastSeq;
    if (message.seq <= before) this.compare(message);
    else this.held.set(message.seq, message);
    for (let next = this.pull(); next; next = this.pull()) this.messages.push(next);
    return this.lastSeq > before;
  }

  private pull(): Message | undefined {
    const seq = this.lastSeq + 1;
    const message = this.held.get(seq);
    this.held.delete(seq);
    return message;
  }

  private compare(again: Message): void {
    const first = JSON.stringify(this.messages[again.seq - 1]);
    const second = JSON.stringify(again);
    if (first !== second) this.contradictions.push(`${first} came again as ${second}`);
  }
}
