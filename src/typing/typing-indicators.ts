import type { TypingUpdate } from '../protocol/index.js';

/** A user who is typing in a conversation, on a connection. */
export interface Typist {
  conversationId: string;
  userId: string;
  connectionId: string;
}

/** A user who stops typing: with a `connectionId` only if that connection typed last. */
export type StoppedTypist = Omit<Typist, 'connectionId'> & { connectionId?: string };

/**
 * Typing indicators, shared by all nodes. Each update is returned to exactly one caller, who publishes it; null and an empty
 * list mean that nothing changed. No method waits for other nodes.
 */
export abstract class TypingIndicators {
  /** Starts or renews an indicator. Returns an update when it starts, and again at most every two seconds. */
  abstract start(typist: Typist): Promise<TypingUpdate | null>;

  /** Stops an indicator. */
  abstract stop(typist: StoppedTypist): Promise<TypingUpdate | null>;

  /** Returns the updates that are due: expired and postponed indicators. Every node must call it periodically. */
  abstract sweep(): Promise<TypingUpdate[]>;

  /** Returns the ids of the users whose indicators were published. */
  abstract typingUsers(conversationId: string): Promise<string[]>;

  /** Returns how many users are typing in any conversation. */
  abstract countUsers(): Promise<number>;
}
