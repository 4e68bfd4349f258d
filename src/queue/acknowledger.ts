import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { notFound } from '../common/domain-error.js';
import { Relay } from '../platform/relay/relay.js';
import { AckStore, type Positions } from './ack.store.js';

const COALESCE_MS = 100;

/**
 * Records acknowledgements (P8): those that clients send, and for clients that do not ack, what was written to their socket.
 * Publishes receipts to the conversation, coalesced.
 */
@Injectable()
export class Acknowledger implements OnApplicationShutdown {
  private readonly logger = new Logger(Acknowledger.name);
  /** Highest `seq` written to sockets of clients that do not ack, not yet in the database. */
  private readonly written = new Map<string, Positions>();
  private readonly receipts = new Map<string, Positions>();
  private writtenTimer: NodeJS.Timeout | undefined;
  private receiptTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: AckStore,
    private readonly relay: Relay,
  ) {}

  /** Resolves when the member's positions are committed. @throws {DomainError} `not_found`, `timeout` or `internal`. */
  async ack(positions: Positions): Promise<void> {
    if (!(await this.tryAck(positions))) throw notFound();
  }

  /** Acks like {@link ack}, but without an error for a former member. @returns whether the user is a member. */
  async tryAck(positions: Positions): Promise<boolean> {
    const result = await this.store.ack(positions);
    if (result?.moved) this.publishReceipt(result);
    return result !== null;
  }

  /** Counts everything up to `seq` as delivered. Batched: it is committed within about 100 ms. */
  ackLater(userId: string, conversationId: string, seq: number): void {
    const key = `${conversationId} ${userId}`;
    const before = this.written.get(key)?.deliveredSeq ?? 0;
    this.written.set(key, { userId, conversationId, deliveredSeq: Math.max(before, seq), readSeq: 0 });
    this.writtenTimer ??= setTimeout(() => void this.flushWritten(), COALESCE_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.receiptTimer);
    await this.flushWritten();
  }

  private async flushWritten(): Promise<void> {
    clearTimeout(this.writtenTimer);
    this.writtenTimer = undefined;
    const batch = [...this.written.values()];
    this.written.clear();
    await Promise.all(batch.map((positions) => this.ackWritten(positions)));
  }

  private async ackWritten(positions: Positions): Promise<void> {
    try {
      await this.tryAck(positions);
    } catch (error) {
      // It stays queued and is offered again at the next connection: a repeat is allowed, a loss is not.
      this.logger.warn('failed to record a delivery', { conversationId: positions.conversationId, error });
    }
  }

  private publishReceipt(positions: Positions): void {
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
