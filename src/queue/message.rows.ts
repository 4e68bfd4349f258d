import type { Message, ReplyTo, Role } from '../protocol/index.js';

/** A message as statements return it: `bigint` as text, `json` parsed, times as dates. */
export interface MessageRow {
  id: string;
  conversation_id: string;
  seq: string;
  sender_id: string;
  role: Role;
  client_message_id: string;
  content: string;
  metadata: Record<string, unknown>;
  stream_id: string | null;
  reply_to: ReplyTo | null;
  created_at: Date;
}

/** The columns of a {@link MessageRow}, of a table or alias named `m`. */
export const MESSAGE_COLUMNS = `m.id, m.conversation_id, m.seq, m.sender_id, m.role, m.client_message_id, m.content,
  m.metadata, m.stream_id, m.reply_to, m.created_at`;

/** Converts a row to a message. The only conversion: live, queued and history agree byte for byte because of it (P3). */
export function toMessage(row: MessageRow): Message {
  return {
    id: row.id,
    conversationId: row.conversation_id,
    seq: Number(row.seq),
    senderId: row.sender_id,
    role: row.role,
    clientMessageId: row.client_message_id,
    content: row.content,
    metadata: row.metadata,
    ...(row.stream_id !== null && { streamId: row.stream_id }),
    ...(row.reply_to !== null && { replyTo: row.reply_to }),
    createdAt: row.created_at.toISOString(),
  };
}
