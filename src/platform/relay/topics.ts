import type {
  Chunk,
  Message,
  Presence,
  ServerEvents,
  StreamState,
  SystemMessage,
} from '../../protocol/index.js';

/** An event of a conversation, for its joined connections. */
export type ConversationEvent =
  | {
      type: 'message';
      message: Message;
      /**
       * Membership version at the message's commit. A node that knows an older version checks the members before it sends the
       * message (P10).
       */
      memberVersion: number;
      /** Connection whose ack contains the message already. */
      origin?: string;
    }
  | { type: 'changed'; change: ServerEvents['conversation:changed'] }
  | { type: 'typing'; update: ServerEvents['typing:update'] }
  | { type: 'receipt'; receipt: ServerEvents['message:receipt'] }
  | { type: 'stream:started'; stream: StreamState }
  | { type: 'stream:chunk'; chunk: Chunk }
  | { type: 'stream:status'; status: ServerEvents['stream:status'] };

/** An event for all devices of one user. */
export type UserEvent =
  /** An item was queued: of this conversation, or a system message (null). */
  | { type: 'queued'; conversationId: string | null }
  | { type: 'changed'; change: ServerEvents['conversation:changed'] }
  /** One of the user's connections must be closed, on any node. */
  | { type: 'close'; connectionId: string };

/** A user's presence has changed. */
export interface PresenceEvent {
  presence: Presence;
  /** The user's conversations: their joined connections are notified. */
  conversationIds: string[];
  /** Connection that caused the change, and needs no notification. */
  origin?: string;
}

/** An event for the owner of a stream. `version` counts pauses and resumes: one with an older version is late. */
export type StreamEvent = { type: 'ended' } | { type: 'paused' | 'resumed'; version: number };

/**
 * Revokes a token (by its `jti`), or all tokens of a user (by its `sub`) that were issued up to a moment, in
 * milliseconds since 1970.
 */
export interface Revocation {
  kind: 'jti' | 'sub';
  value: string;
  at: number;
}

/** Every kind of topic on the relay, with its events. */
export interface Topics {
  conversation: ConversationEvent;
  user: UserEvent;
  /** One topic, `all`, for all nodes: each finds its own connections to notify. */
  presence: PresenceEvent;
  topic: SystemMessage;
  stream: StreamEvent;
  revocation: Revocation;
}
