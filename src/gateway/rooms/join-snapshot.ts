import { Injectable } from '@nestjs/common';
import { notFound } from '../../common/domain-error.js';
import { PresenceService } from '../../presence/presence.service.js';
import type { JoinPayload, JoinResult, Member } from '../../protocol/index.js';
import { SnapshotsStore } from '../../streaming/log/snapshots.store.js';
import { TypingService } from '../../typing/typing.service.js';
import { SHARED, SharedFields, type WithSharedFields } from './shared-fields.js';

type SharedByMembers = Pick<JoinResult, 'members' | 'presence'>;

/** Ack of a join. Connections that join the same conversation at once share the JSON of its members and their presence. */
export type SharingJoinResult = WithSharedFields<JoinResult, keyof SharedByMembers>;

/** Reads the state of a conversation for a connection that joins it. */
@Injectable()
export class JoinSnapshot {
  /** Keyed by a list of members that one read returned to several joins: none of these had completed before the read. */
  private readonly shared = new WeakMap<Member[], Promise<SharedFields<SharedByMembers>>>();

  constructor(
    private readonly snapshots: SnapshotsStore,
    private readonly presence: PresenceService,
    private readonly typing: TypingService,
  ) {}

  /**
   * Returns the full state, to be followed by live events. Call it after the socket has joined the room: a change may then
   * arrive twice, but is never missed.
   * @throws {DomainError} `not_found` where the user is not a member.
   */
  async read(userId: string, { conversationId, afterSeq }: JoinPayload): Promise<SharingJoinResult> {
    const snapshot = await this.snapshots.of({ conversationId, userId, afterSeq });
    if (!snapshot) throw notFound();
    const { members, ...own } = snapshot;
    const [shared, typing] = await Promise.all([
      this.sharedFieldsOf(members),
      this.typing.typingUsers(conversationId),
    ]);
    return {
      ...own,
      lastSeq: own.conversation.lastSeq,
      typing: typing.filter((typingId) => typingId !== userId),
      [SHARED]: shared,
    };
  }

  private sharedFieldsOf(members: Member[]): Promise<SharedFields<SharedByMembers>> {
    const shared = this.shared.get(members) ?? this.readPresence(members);
    this.shared.set(members, shared);
    return shared;
  }

  private async readPresence(members: Member[]): Promise<SharedFields<SharedByMembers>> {
    const presence = await this.presence.of(members.map(({ userId }) => userId));
    return new SharedFields({ members, presence });
  }
}
