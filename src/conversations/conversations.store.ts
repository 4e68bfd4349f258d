import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../platform/config/config.js';
import { batchReads } from '../platform/database/batch-reads.js';
import { retryWhileLocked } from '../platform/database/locked-rows.js';
import type { Conversation, ConversationAccess, MemberRole, Role } from '../protocol/index.js';
import { toConversation, type ConversationRow } from './conversation.rows.js';
import type { ListedConversation } from './conversations.dto.js';

/** A conversation as one of its members sees it. */
export interface Membership {
  conversation: Conversation;
  role: MemberRole;
  memberVersion: number;
}

/** What a returning member needs before it receives messages. */
export interface MembershipRow {
  /** `seq` of the conversation's last message. */
  lastSeq: number;
  /** The member's display name; null when it has none. */
  name: string | null;
}

export type JoinOutcome = 'created' | 'joined' | 'member' | 'full' | 'not_found';
export type AddOutcome = 'added' | 'member' | 'full' | 'forbidden' | 'not_found';
export type RemoveOutcome = 'removed' | 'conflict' | 'forbidden' | 'not_found';
export type DeleteOutcome = 'deleted' | 'forbidden' | 'not_found';

/** Position in a list of conversations ordered by latest activity. */
export interface ActivityCursor {
  activeAt: string;
  id: string;
}

interface ListedRow extends ConversationRow {
  unread: string;
  active_at: Date;
  message_id: string | null;
  seq: string;
  sender_id: string;
  role: Role;
  content: string;
  message_created_at: Date;
}

const PREVIEW_CHARS = 200;

export interface JoinRequest {
  conversationId: string;
  userId: string;
  name?: string | undefined;
  /** Used only when the conversation is created by this join. */
  access?: ConversationAccess | undefined;
}

interface MemberKey {
  conversationId: string;
  userId: string;
}

const MEMBERSHIP_BYTES = 2048;

const CONVERSATION_COLUMNS = 'c.id, c.title, c.access, c.created_at, c.last_seq';

/** Stores conversations and their members. Each change of members is one SQL function. */
@Injectable()
export class ConversationsStore {
  private readonly memberships = batchReads({
    read: (batch: readonly MemberKey[]) => this.readMemberships(batch),
    resultBytes: MEMBERSHIP_BYTES,
  });

  constructor(
    private readonly database: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Makes the user a member where the conversation is new, or open by link. */
  join({ conversationId, userId, name, access }: JoinRequest): Promise<JoinOutcome> {
    const { MAX_CONVERSATION_MEMBERS: max } = this.config;
    const values = [conversationId, userId, name ?? null, access ?? null, max];
    return this.outcome<JoinOutcome>('join_conversation($1, $2, $3, $4, $5)', values);
  }

  addMember(conversationId: string, actorId: string, userId: string): Promise<AddOutcome> {
    const values = [conversationId, actorId, userId, this.config.MAX_CONVERSATION_MEMBERS];
    return this.outcome<AddOutcome>('add_member($1, $2, $3, $4)', values);
  }

  removeMember(conversationId: string, actorId: string, userId: string): Promise<RemoveOutcome> {
    return this.outcome<RemoveOutcome>('remove_member($1, $2, $3)', [conversationId, actorId, userId]);
  }

  delete(conversationId: string, actorId: string): Promise<DeleteOutcome> {
    return this.outcome<DeleteOutcome>('delete_conversation($1, $2)', [conversationId, actorId]);
  }

  /** Returns the conversation if `userId` is a member of it, else null. */
  async membership(conversationId: string, userId: string): Promise<Membership | null> {
    const rows = await this.database.query<
      (ConversationRow & { role: MemberRole; member_version: string })[]
    >(
      `select ${CONVERSATION_COLUMNS}, c.member_version, m.role
       from members m join conversations c on c.id = m.conversation_id
       where m.conversation_id = $1 and m.user_id = $2`,
      [conversationId, userId],
    );
    const row = rows[0];
    return row
      ? { conversation: toConversation(row), role: row.role, memberVersion: Number(row.member_version) }
      : null;
  }

  /** Returns null when the user is not a member. Reads are batched, because thousands of users may return at once. */
  findMembership(conversationId: string, userId: string): Promise<MembershipRow | null> {
    return this.memberships({ conversationId, userId });
  }

  /** Returns conversations of a user after a cursor, latest activity first. */
  async ofUser(userId: string, before: ActivityCursor | null, limit: number): Promise<ListedConversation[]> {
    const rows = await this.database.query<ListedRow[]>(
      `select * from (
         select ${CONVERSATION_COLUMNS}, c.last_seq - m.read_seq as unread,
           coalesce(l.created_at, c.created_at) as active_at,
           l.id as message_id, l.seq, l.sender_id, l.role, left(l.content, ${PREVIEW_CHARS}) as content,
           l.created_at as message_created_at
         from members m
         join conversations c on c.id = m.conversation_id
         left join messages l on l.conversation_id = c.id and l.seq = c.last_seq
         where m.user_id = $1) x
       where $2::timestamptz is null or (active_at, id) < ($2, $3)
       order by active_at desc, id desc limit $4`,
      [userId, before?.activeAt ?? null, before?.id ?? null, limit],
    );
    return rows.map(toListed);
  }

  /** Returns the ids of all members with their version; no members when the conversation does not exist. */
  async memberIds(conversationId: string): Promise<{ version: number; userIds: string[] }> {
    const rows = await this.database.query<{ version: string; user_ids: string[] }[]>(
      `select c.member_version as version,
         array(select m.user_id from members m where m.conversation_id = c.id) as user_ids
       from conversations c where c.id = $1`,
      [conversationId],
    );
    // Version 0: a conversation that is created later under this id has a higher one.
    return { version: Number(rows[0]?.version ?? 0), userIds: rows[0]?.user_ids ?? [] };
  }

  /** Creates a conversation with its owner. Returns false when the id is taken. */
  async create(
    id: string,
    owner: { userId: string; name?: string | undefined },
    title: string | null,
    access: ConversationAccess,
  ): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `with made as (insert into conversations (id, title, access, member_version)
         values ($1, $2, $3, nextval('member_versions')) on conflict do nothing returning id)
       insert into members (conversation_id, user_id, name, role) select id, $4, $5, 'owner' from made returning 1`,
      [id, title, access, owner.userId, owner.name ?? null],
    );
    return rows.length > 0;
  }

  /** Sets the given properties. The caller has checked the user's rights. */
  async update(id: string, changes: { title?: string; access?: ConversationAccess }): Promise<void> {
    const values = [id, changes.title ?? null, changes.access ?? null];
    await retryWhileLocked(() => this.database.query('select update_conversation($1, $2, $3)', values));
  }

  /** Reads in one statement. `offset 0` keeps the planner from scanning whole tables. */
  private async readMemberships(batch: readonly MemberKey[]): Promise<(MembershipRow | null)[]> {
    const rows = await this.database.query<{ n: string; last_seq: string; name: string | null }[]>(
      `select t.n, c.last_seq, m.name
       from unnest($1::text[], $2::text[]) with ordinality t(conversation_id, user_id, n)
       cross join lateral (
         select name from members
         where conversation_id = t.conversation_id and user_id = t.user_id offset 0) m
       cross join lateral (select last_seq from conversations where id = t.conversation_id offset 0) c`,
      [batch.map(({ conversationId }) => conversationId), batch.map(({ userId }) => userId)],
    );
    const memberships = new Map(
      rows.map(({ n, last_seq: lastSeq, name }) => [Number(n), { lastSeq: Number(lastSeq), name }]),
    );
    return batch.map((_, index) => memberships.get(index + 1) ?? null);
  }

  private async outcome<T extends string>(call: string, values: unknown[]): Promise<T> {
    const rows = await retryWhileLocked(() =>
      this.database.query<{ outcome: T }[]>(`select ${call} as outcome`, values),
    );
    return (rows[0] as { outcome: T }).outcome;
  }
}

function toListed(row: ListedRow): ListedConversation {
  const lastMessage = {
    id: row.message_id ?? '',
    seq: Number(row.seq),
    senderId: row.sender_id,
    role: row.role,
    content: row.content,
  };
  return {
    ...toConversation(row),
    unread: Number(row.unread),
    ...(row.message_id !== null && {
      lastMessage: { ...lastMessage, createdAt: row.message_created_at.toISOString() },
    }),
    activeAt: row.active_at.toISOString(),
  };
}
