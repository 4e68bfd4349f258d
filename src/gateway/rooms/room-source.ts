import { Injectable, Logger } from '@nestjs/common';
import { MemberCache } from '../../conversations/member-cache.js';
import { MessagesStore } from '../../conversations/messages.store.js';
import { LIMITS, type Message } from '../../protocol/index.js';
import { Acknowledger } from '../../queue/acknowledger.js';
import type { Connection } from '../connections/connection.js';

/** Everything that a room reads, and where it reports what it did. */
export interface RoomSource {
  /** Returns a page of messages after `afterSeq`, in ascending order. */
  messagesAfter(conversationId: string, afterSeq: number): Promise<Message[]>;
  /** Returns the user ids of the members at this membership version or a later one. */
  members(conversationId: string, version: number): Promise<ReadonlySet<string>>;
  /** Records that a message was written to the socket of a client that does not ack. */
  onWritten(connection: Connection, message: Message): void;
  onError(conversationId: string, error: unknown): void;
}

/** Reads for rooms from the message log and the member cache; reports deliveries to the queue. */
@Injectable()
export class DatabaseRoomSource implements RoomSource {
  private readonly logger = new Logger('Rooms');

  constructor(
    private readonly log: MessagesStore,
    private readonly cache: MemberCache,
    private readonly acknowledger: Acknowledger,
  ) {}

  async messagesAfter(conversationId: string, afterSeq: number): Promise<Message[]> {
    return (await this.log.page({ conversationId, afterSeq, limit: LIMITS.pageMessages })).messages;
  }

  members(conversationId: string, version: number): Promise<ReadonlySet<string>> {
    return this.cache.at(conversationId, version);
  }

  onWritten({ userId }: Connection, { conversationId, seq }: Message): void {
    this.acknowledger.ackLater(userId, conversationId, seq);
  }

  onError(conversationId: string, error: unknown): void {
    this.logger.warn('failed to broadcast a message', { conversationId, error });
  }
}
