export type Role = 'user' | 'assistant' | 'system';

/** The question that an answer belongs to. */
export interface ReplyTo {
  messageId: string;
  seq: number;
  clientMessageId?: string;
}

/** An entry in a conversation's log. `seq` counts from 1 without holes. Byte-equal live, queued and in history (P3). */
export interface Message {
  id: string;
  conversationId: string;
  seq: number;
  senderId: string;
  role: Role;
  clientMessageId?: string;
  content: string;
  metadata: Record<string, unknown>;
  streamId?: string;
  replyTo?: ReplyTo;
  /** ISO 8601, UTC, milliseconds. */
  createdAt: string;
}

export type ConversationAccess = 'members' | 'link';
export type MemberRole = 'owner' | 'member';

export interface Conversation {
  id: string;
  title?: string;
  access: ConversationAccess;
  createdAt: string;
  /** `seq` of the last message; 0 while there is none. */
  lastSeq: number;
}

/** A member and how far its devices have got. Positions are 0 where nothing has arrived or been read. */
export interface Member {
  userId: string;
  name?: string;
  role: MemberRole;
  joinedAt: string;
  deliveredSeq: number;
  deliveredAt?: string;
  readSeq: number;
  readAt?: string;
}

export interface MessagePage {
  messages: Message[];
  /** Whether more lie beyond the page, in the direction that was asked for. */
  hasMore: boolean;
}

/** A system message: to one user (`topic` null) or to a topic's subscribers. */
export interface SystemMessage {
  topic: string | null;
  content: string;
  metadata?: Record<string, unknown>;
  createdAt: string;
}

/** One waiting delivery as it is offered to a client. */
export type QueueItem =
  | { queueId: string; kind: 'message'; message: Message }
  | { queueId: string; kind: 'system'; message: SystemMessage };
