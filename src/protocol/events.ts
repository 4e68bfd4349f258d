import type { WireError } from './errors.js';
import type {
  Conversation,
  ConversationAccess,
  Member,
  Message,
  MessagePage,
  QueueItem,
  SystemMessage,
} from './messages.js';
import type { ActiveStream, Chunk, RecoverResult, StreamState, StreamStatus } from './streams.js';

export type PresenceStatus = 'online' | 'away' | 'busy' | 'offline';

/** The presence of a user as others see it (protocol section 4.9). */
export interface Presence {
  userId: string;
  status: PresenceStatus;
  /** Last activity of the user; null if there never was any. */
  lastSeenAt: string | null;
  metadata?: Record<string, unknown>;
  /** The newer of two states of one user has the greater version. 0: the user was never connected. */
  version: number;
}

export interface PresencePayload {
  /** `online`: show what is observed. The others override it. `offline` makes the user invisible. */
  status: PresenceStatus;
  metadata?: Record<string, unknown>;
}

/** A connection of a user, as listed by the registry (protocol section 5.2.6). */
export interface ConnectionInfo {
  connectionId: string;
  userId: string;
  deviceId: string;
  transport: 'websocket' | 'polling';
  connectedAt: string;
  lastActivityAt: string;
  /** Absent for the connections of others, except for admins. */
  address?: string;
  /** Absent if the client sent none, and whenever `address` is. */
  userAgent?: string;
}

export interface TypingUpdate {
  conversationId: string;
  userId: string;
  isTyping: boolean;
}

export interface JoinPayload {
  conversationId: string;
  afterSeq?: number;
  access?: ConversationAccess;
}

export interface JoinResult extends MessagePage {
  conversation: Conversation;
  members: Member[];
  lastSeq: number;
  presence: Presence[];
  typing: string[];
  activeStreams: ActiveStream[];
}

export interface SendPayload {
  conversationId: string;
  clientMessageId: string;
  content: string;
  metadata?: Record<string, unknown>;
  /** Whether the provider answers this message; default true. */
  respond?: boolean;
  /** Whether the answer is shown while it is produced; default true. */
  stream?: boolean;
  /** Whether the prompt holds the conversation's last messages; default true. */
  includeContext?: boolean;
  provider?: string;
  model?: string;
}

export interface SendResult {
  message: Message;
  duplicate: boolean;
  streamId?: string;
}

export interface HistoryPayload {
  conversationId: string;
  afterSeq?: number;
  beforeSeq?: number;
  limit?: number;
}

export interface AckPayload {
  conversationId: string;
  /** Cumulative: everything up to and including this `seq`. */
  seq: number;
  read?: boolean;
}

export interface RefreshPayload {
  token: string;
}

export interface RefreshResult {
  userId: string;
  /** When the new token expires; absent if it never does. */
  expiresAt?: string;
}

export interface ControlResult {
  status: StreamStatus;
  lastSequence: number;
}

export interface RecoverPayload {
  streamId: string;
  /** First sequence to read. */
  fromSequence: number;
}

/** The client's events: their payload, and the fields of their ack besides `ok` (protocol section 4). */
export interface ClientEvents {
  'auth:refresh': [RefreshPayload, RefreshResult];
  'conversation:join': [JoinPayload, JoinResult];
  'conversation:leave': [{ conversationId: string }, object];
  'message:send': [SendPayload, SendResult];
  'message:ack': [AckPayload, object];
  'message:history': [HistoryPayload, MessagePage];
  'typing:start': [{ conversationId: string }, object];
  'typing:stop': [{ conversationId: string }, object];
  'presence:update': [PresencePayload, object];
  'presence:watch': [{ userIds: string[] }, { presence: Presence[] }];
  'presence:unwatch': [{ userIds: string[] }, { presence: Presence[] }];
  'topic:subscribe': [{ topics: string[] }, { topics: string[] }];
  'topic:unsubscribe': [{ topics: string[] }, { topics: string[] }];
  'stream:pause': [{ streamId: string }, ControlResult];
  'stream:resume': [{ streamId: string }, ControlResult];
  'stream:cancel': [{ streamId: string }, ControlResult];
  'stream:recover': [RecoverPayload, RecoverResult];
  ping: [unknown, { serverTime: string; echo: unknown }];
}

/** The argument of every ack callback, which is called exactly once. */
export type Ack<T extends object> = (T & { ok: true }) | { ok: false; error: WireError };

/** The server's events and their payloads (protocol section 4). */
export interface ServerEvents {
  'connection:status': {
    status: 'connected';
    connectionId: string;
    userId: string;
    deviceId: string;
    serverTime: string;
    expiresAt?: string;
  };
  'auth:expiring': { expiresAt: string };
  'connection:draining': { reconnectInMs: number };
  'connection:closing': WireError;
  'conversation:changed': {
    conversationId: string;
    change: 'added' | 'removed' | 'updated' | 'deleted';
    userId?: string;
  };
  'message:new': Message;
  'message:receipt': { conversationId: string; userId: string; deliveredSeq: number; readSeq: number };
  'queue:deliver': { items: QueueItem[]; remaining: number; dropped: number };
  'stream:started': StreamState;
  'stream:chunk': Chunk;
  'stream:status': { streamId: string; status: StreamStatus; lastSequence: number; reason?: string };
  'typing:update': TypingUpdate;
  'presence:update': Presence;
  'system:message': SystemMessage;
}
