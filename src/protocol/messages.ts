export type Role = 'user' | 'assistant' | 'system';

/** The question that an answer belongs to. */
export interface ReplyTo {
  messageId: string;
  seq: number;
  clientMessageId?: string;
}

/** An entry in a conversation's log. `seq` counts from 1 without gaps. Live, queue and history deliver the same bytes (P3). */
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

/** A member with its read and delivery positions; 0 if nothing was read or delivered yet. */
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
  /** Whether more messages follow the page in the requested direction. */
  hasMore: boolean;
}

/** A system message: to one user (`topic` null) or to a topic's subscribers. */
export interface SystemMessage {
  topic: string | null;
  content: string;
  metadata?: Record<string, unknown>;
  createdAt: string;
}

/** A queued delivery in the form that clients receive. */
export type QueueItem =
  | { queueId: string; kind: 'message'; message: Message }
  | { queueId: string; kind: 'system'; message: SystemMessage };
