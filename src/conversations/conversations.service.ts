import { Injectable } from '@nestjs/common';
import { authorize, denied } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import { decodeCursor, encodeCursor, toCursorPage, type CursorPage } from '../common/cursor-page.js';
import { DomainError, notFound } from '../common/domain-error.js';
import { randomText } from '../common/ids.js';
import { isConversationId } from '../protocol/index.js';
import type { Conversation, ConversationAccess, ServerEvents } from '../protocol/index.js';
import { Relay } from '../platform/relay/relay.js';
import { ConversationsStore, type ActivityCursor, type Membership } from './conversations.store.js';
import type { ListedConversation } from './conversations.dto.js';

type Change = ServerEvents['conversation:changed']['change'];

/** The format of `toISOString` for the years 1 to 9999. */
const MOMENT = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Manages conversations and their members. Conversations of others are `not_found` (P10). */
@Injectable()
export class ConversationsService {
  constructor(
    private readonly store: ConversationsStore,
    private readonly relay: Relay,
  ) {}

  /** Returns the membership of a user. @throws {DomainError} `not_found` when `userId` is not a member. */
  async require(conversationId: string, userId: string): Promise<Membership> {
    const membership = await this.store.membership(conversationId, userId);
    if (!membership) throw denied('conversation:read');
    return membership;
  }

  /**
   * Makes `principal` a member: the owner of a new conversation, or a member of one whose access is `link`.
   * @throws {DomainError} `not_found`, or `conflict` when the conversation is full.
   */
  async enter(principal: Principal, conversationId: string, access?: ConversationAccess): Promise<void> {
    const { userId, name } = principal;
    const outcome = await this.store.join({ conversationId, userId, name, access });
    if (outcome === 'not_found') throw notFound();
    if (outcome === 'full') throw full();
    if (outcome === 'joined') this.publishChange(conversationId, 'added', userId);
  }

  /** Creates a conversation. Without `id`, its id is random. @throws {DomainError} `conflict` when the id is taken. */
  async create(
    principal: Principal,
    request: { id?: string; title?: string; access?: ConversationAccess },
  ): Promise<Conversation> {
    const id = request.id ?? randomText(16);
    const made = await this.store.create(id, principal, request.title ?? null, request.access ?? 'members');
    if (!made) throw new DomainError('conflict', 'This conversation id is taken.');
    return (await this.require(id, principal.userId)).conversation;
  }

  /** Returns a page of the user's conversations, latest activity first. `cursor` is the `nextCursor` of the previous page. */
  async list(
    principal: Principal,
    { cursor, limit }: { cursor?: string | undefined; limit: number },
  ): Promise<CursorPage<ListedConversation>> {
    const before = cursor === undefined ? null : fromCursor(cursor);
    const found = await this.store.ofUser(principal.userId, before, limit + 1);
    return toCursorPage(found, limit, ({ activeAt, id }) => encodeCursor([activeAt, id]));
  }

  /** Changes title or access. @throws {DomainError} `forbidden` for members who are not the owner. */
  async update(
    principal: Principal,
    conversationId: string,
    changes: { title?: string; access?: ConversationAccess },
  ): Promise<Conversation> {
    const { role } = await this.require(conversationId, principal.userId);
    authorize(principal, 'conversation:change', { role });
    await this.store.update(conversationId, changes);
    this.publishChange(conversationId, 'updated');
    return (await this.require(conversationId, principal.userId)).conversation;
  }

  /** Deletes a conversation with all its content. @throws {DomainError} `not_found` or `forbidden`. */
  async delete(principal: Principal, conversationId: string): Promise<void> {
    const members = await this.store.memberIds(conversationId);
    const outcome = await this.store.delete(conversationId, principal.userId);
    if (outcome === 'not_found') throw denied('conversation:delete');
    if (outcome === 'forbidden') throw denied('conversation:delete', { role: 'member' });
    const change = { conversationId, change: 'deleted' } as const;
    this.relay.publish('conversation', conversationId, { type: 'changed', change });
    for (const userId of members.userIds) this.relay.publish('user', userId, { type: 'changed', change });
  }

  /** Adds a member. Idempotent. @throws {DomainError} `not_found`, `forbidden` or `conflict` when full. */
  async addMember(principal: Principal, conversationId: string, userId: string): Promise<void> {
    const outcome = await this.store.addMember(conversationId, principal.userId, userId);
    if (outcome === 'not_found') throw denied('member:add');
    if (outcome === 'forbidden') throw denied('member:add', { role: 'member' });
    if (outcome === 'full') throw full();
    if (outcome === 'added') this.publishChange(conversationId, 'added', userId);
  }

  /** Removes a member, or leaves. @throws {DomainError} `not_found`, `forbidden`, or `conflict` for the sole owner. */
  async removeMember(principal: Principal, conversationId: string, userId: string): Promise<void> {
    const outcome = await this.store.removeMember(conversationId, principal.userId, userId);
    if (outcome === 'not_found') throw denied('member:remove');
    if (outcome === 'forbidden') throw denied('member:remove', { role: 'member' });
    if (outcome === 'conflict') {
      throw new DomainError('conflict', 'A sole owner cannot leave. Delete the conversation instead.');
    }
    this.publishChange(conversationId, 'removed', userId);
  }

  /** Publishes a change to connections that have joined, and to the user concerned. */
  private publishChange(conversationId: string, change: Change, userId?: string): void {
    const event = {
      type: 'changed',
      change: { conversationId, change, ...(userId !== undefined && { userId }) },
    } as const;
    this.relay.publish('conversation', conversationId, event);
    if (userId !== undefined) this.relay.publish('user', userId, event);
  }
}

function fromCursor(cursor: string): ActivityCursor {
  const [activeAt, id] = decodeCursor(cursor, [isMoment, isConversationId]);
  return { activeAt, id };
}

/** Whether `text` is a time as `toISOString` writes it. PostgreSQL refuses other texts that a Date accepts, such as `0` or the year 0. */
function isMoment(text: string): boolean {
  return MOMENT.test(text) && Number.isFinite(Date.parse(text)) && new Date(text).toISOString() === text;
}

function full(): DomainError {
  return new DomainError('conflict', 'The conversation has reached its limit of members.');
}
