import type { Conversation, ConversationAccess, Member, MemberRole } from '../protocol/index.js';

/** A conversation as the database gives it: `bigint` as text, times as dates. */
export interface ConversationRow {
  id: string;
  title: string | null;
  access: ConversationAccess;
  created_at: Date;
  last_seq: string;
}

/** A member as the database gives it. */
export interface MemberRow {
  user_id: string;
  name: string | null;
  role: MemberRole;
  joined_at: Date;
  delivered_seq: string;
  delivered_at: Date | null;
  read_seq: string;
  read_at: Date | null;
}

/** The conversation of protocol section 4. */
export function toConversation(row: ConversationRow): Conversation {
  return {
    id: row.id,
    ...(row.title !== null && { title: row.title }),
    access: row.access,
    createdAt: row.created_at.toISOString(),
    lastSeq: Number(row.last_seq),
  };
}

/** The member of protocol section 4. */
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
