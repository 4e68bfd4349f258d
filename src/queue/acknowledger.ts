import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { notFound } from '../common/domain-error.js';
import { Relay } from '../platform/relay/relay.js';
import { AckStore, type Positions } from './ack.store.js';

const COALESCE_MS = 100;

/** Acknowledgements: what a client says it has, and what is taken at its socket's word (P8). Tells the others, coalesced. */
@Injectable()
export class Acknowledger implements OnApplicationShutdown {
  private readonly logger = new Logger(Acknowledger.name);
  /** Highest `seq` written to sockets of clients that do not ack, not yet in the database. */
  private readonly taken = new Map<string, Positions>();
  private readonly receipts = new Map<string, Positions>();
  private takenTimer: NodeJS.Timeout | undefined;
  private receiptTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: AckStore,
    private readonly relay: Relay,
  ) {}

  /** Resolves when the member's positions are committed. @throws {DomainError} `not_found`, `timeout` or `internal`. */
  async ack(positions: Positions): Promise<void> {
    if (!(await this.ackOwn(positions))) throw notFound();
  }

  /** As {@link ack}, but who is no member any more is let be. @returns whether the user is a member. */
  async ackOwn(positions: Positions): Promise<boolean> {
    const result = await this.store.ack(positions);
    if (result?.moved) this.tell(result);
    return result !== null;
  }

  /** Counts everything up to `seq` as delivered, a moment later and together with others. */
  take(userId: string, conversationId: string, seq: number): void {
    const key = `${conversationId} ${userId}`;
    const before = this.taken.get(key)?.deliveredSeq ?? 0;
    this.taken.set(key, { userId, conversationId, deliveredSeq: Math.max(before, seq), readSeq: 0 });
    this.takenTimer ??= setTimeout(() => void this.flushTaken(), COALESCE_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.receiptTimer);
    await this.flushTaken();
  }

  private async flushTaken(): Promise<void> {
    clearTimeout(this.takenTimer);
    this.takenTimer = undefined;
    const batch = [...this.taken.values()];
    this.taken.clear();
    await Promise.all(batch.map((positions) => this.ackTaken(positions)));
  }

  private async ackTaken(positions: Positions): Promise<void> {
    try {
      await this.ackOwn(positions);
    } catch (error) {
      // It stays queued and is offered again at the next connection: twice is allowed, lost is not.
      this.logger.warn(`a delivery to ${positions.conversationId} was not noted: ${String(error)}`);
    }
  }

  private tell(positions: Positions): void {
    this.receipts.set(`${positions.conversationId} ${positions.userId}`, positions);
    this.receiptTimer ??= setTimeout(() => this.flushReceipts(), COALESCE_MS);
  }

  private flushReceipts(): void {
    this.receiptTimer = undefined;
    for (const { conversationId, userId, deliveredSeq, readSeq } of this.receipts.values()) {
      const receipt = { conversationId, userId, deliveredSeq, readSeq };
      this.relay.publish('conversation', conversationId, { type: 'receipt', receipt });
    }
    this.receipts.clear();
  }
}
