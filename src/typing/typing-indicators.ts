import type { TypingUpdate } from '../protocol/index.js';

/** Who types where, on which connection. */
export interface Typist {
  conversationId: string;
  userId: string;
  connectionId: string;
}

/**
 * Who is typing, shared by all nodes. What the others are to be told is given to exactly one caller, who announces it;
 * null and an empty list mean nothing. No method waits for other nodes.
 */
export abstract class TypingIndicators {
  /** The user types, or still does: told when it begins, and again at most every two seconds. */
  abstract start(typist: Typist): Promise<TypingUpdate | null>;

  /** The user has stopped. With a `connectionId` only if that one typed last. */
  abstract stop(
    typist: Omit<Typist, 'connectionId'> & { connectionId?: string },
  ): Promise<TypingUpdate | null>;

  /** What has become due: indicators that expired, or had to wait. To be called again and again, on every node. */
  abstract settle(): Promise<TypingUpdate[]>;

  /** Users who are typing, as the others were told. */
  abstract in(conversationId: string): Promise<string[]>;

  /** How many users are typing somewhere. */
  abstract countUsers(): Promise<number>;
}
