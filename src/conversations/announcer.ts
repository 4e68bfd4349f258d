import { Injectable, Logger } from '@nestjs/common';
import type { Message } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { MemberCache } from './member-cache.js';

interface Announcement {
  message: Message;
  memberVersion: number;
  /** Connection that sent it. */
  origin?: string | undefined;
}

/** Tells of messages, after their commit and never before: to who joined, and to every member's waiting queue. */
@Injectable()
export class Announcer {
  private readonly logger = new Logger(Announcer.name);

  constructor(
    private readonly relay: Relay,
    private readonly members: MemberCache,
  ) {}

  /** Does not wait and does not throw: who is not told now finds the message in the queue or by its `seq`. */
  announce({ message, memberVersion, origin }: Announcement): void {
    const { conversationId } = message;
    this.relay.publish('conversation', conversationId, {
      type: 'message',
      message,
      memberVersion,
      ...(origin !== undefined && { origin }),
    });
    const known = this.members.known(conversationId, memberVersion);
    if (known) return this.wake(known, message);
    this.members.at(conversationId, memberVersion).then(
      (userIds) => this.wake(userIds, message),
      (error: unknown) => this.logger.warn(`members of ${conversationId} were not told: ${String(error)}`),
    );
  }

  private wake(userIds: ReadonlySet<string>, { conversationId, senderId }: Message): void {
    for (const userId of userIds) {
      if (userId !== senderId) this.relay.publish('user', userId, { type: 'queued', conversationId });
    }
  }
}
