import type {
  Chunk,
  Message,
  Presence,
  ServerEvents,
  StreamState,
  SystemMessage,
} from '../../protocol/index.js';

/** What happens in a conversation, for whoever joined it. */
export type ConversationEvent =
  | {
      type: 'message';
      message: Message;
      /** Membership version at the message's commit: who knows an older one asks before it shows the message (P10). */
      memberVersion: number;
      /** Connection whose acknowledgement carries the message already. */
      origin?: string;
    }
  | { type: 'changed'; change: ServerEvents['conversation:changed'] }
  | { type: 'typing'; update: ServerEvents['typing:update'] }
  | { type: 'receipt'; receipt: ServerEvents['message:receipt'] }
  | { type: 'stream:started'; stream: StreamState }
  | { type: 'stream:chunk'; chunk: Chunk }
  | { type: 'stream:status'; status: ServerEvents['stream:status'] };

/** What concerns one user, on whichever devices. */
export type UserEvent =
  /** Something was queued: of this conversation, or a system message (null). */
  | { type: 'queued'; conversationId: string | null }
  | { type: 'changed'; change: ServerEvents['conversation:changed'] }
  /** One of the user's connections is to be closed, wherever it is. */
  | { type: 'close'; connectionId: string };

/** A user's presence has changed. */
export interface PresenceEvent {
  presence: Presence;
  /** The user's conversations: who joined one of them hears of it. */
  conversationIds: string[];
  /** Connection that caused it, and knows. */
  origin?: string;
}

/** What the owner of a stream must hear at once. `version` counts pauses and resumes: an older one came late. */
export type StreamEvent = { type: 'ended' } | { type: 'paused' | 'resumed'; version: number };

/** A token (by its `jti`), or all tokens of a user (by its `sub`) issued up to a moment, in milliseconds since 1970, are not good any more. */
export interface Revocation {
  kind: 'jti' | 'sub';
  value: string;
  at: number;
}

/** Every kind of topic on the relay, and what travels on it. */
export interface Topics {
  conversation: ConversationEvent;
  user: UserEvent;
  /** One topic for all nodes, `all`: each finds whom of its own it concerns. */
  presence: PresenceEvent;
  topic: SystemMessage;
  stream: StreamEvent;
  revocation: Revocation;
}
