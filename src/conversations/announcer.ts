import { Injectable, Logger } from '@nestjs/common';
import type { Message } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { MemberCache } from './member-cache.js';

interface Announcement {
  message: Message;
  memberVersion: number;
  /** The connection that sent the message; it gets the ack instead. */
  origin?: string | undefined;
}

/** Publishes messages after their commit: to connections that have joined, and to every member's queue delivery. */
@Injectable()
export class Announcer {
  private readonly logger = new Logger(Announcer.name);

  constructor(
    private readonly relay: Relay,
    private readonly members: MemberCache,
  ) {}

  /** Does not wait and does not throw: a member who misses this gets the message from the queue or by its `seq`. */
  announce({ message, memberVersion, origin }: Announcement): void {
    const { conversationId } = message;
    this.relay.publish('conversation', conversationId, {
      type: 'message',
      message,
      memberVersion,
      ...(origin !== undefined && { origin }),
    });
    const known = this.members.known(conversationId, memberVersion);
    if (known) return this.notifyQueues(known, message);
    this.members.at(conversationId, memberVersion).then(
      (userIds) => this.notifyQueues(userIds, message),
      (error: unknown) => this.logger.warn('failed to notify members', { conversationId, error }),
    );
  }

  private notifyQueues(userIds: ReadonlySet<string>, { conversationId, senderId }: Message): void {
    for (const userId of userIds) {
      if (userId !== senderId) this.relay.publish('user', userId, { type: 'queued', conversationId });
    }
  }
}
