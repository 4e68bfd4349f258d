import type { RowOf } from '../platform/database/columns.js';
import type { Conversation, Member } from '../protocol/index.js';
import type { ConversationEntity } from './conversation.entity.js';
import type { MemberEntity } from './member.entity.js';

/** A conversation as statements return it: `bigint` as text, times as dates. */
export type ConversationRow = RowOf<ConversationEntity, 'id' | 'title' | 'access' | 'createdAt' | 'lastSeq'>;

/** A member as statements return it. */
export type MemberRow = RowOf<
  MemberEntity,
  'userId' | 'name' | 'role' | 'joinedAt' | 'deliveredSeq' | 'deliveredAt' | 'readSeq' | 'readAt'
>;

/** Converts a row to the conversation of protocol section 4. */
export function toConversation(row: ConversationRow): Conversation {
  return {
    id: row.id,
    ...(row.title !== null && { title: row.title }),
    access: row.access,
    createdAt: row.created_at.toISOString(),
    lastSeq: Number(row.last_seq),
  };
}

/** Converts a row to the member of protocol section 4. */
export function toMember(row: MemberRow): Member {
  return {
    userId: row.user_id,
    ...(row.name !== null && { name: row.name }),
    role: row.role,
    joinedAt: row.joined_at.toISOString(),
    deliveredSeq: Number(row.delivered_seq),
    ...(row.delivered_at !== null && { deliveredAt: row.delivered_at.toISOString() }),
    readSeq: Number(row.read_seq),
    ...(row.read_at !== null && { readAt: row.read_at.toISOString() }),
  };
}
