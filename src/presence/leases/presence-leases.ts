import type { Presence, PresencePayload } from '../../protocol/index.js';

/** One connection's share in its user's presence. */
export interface Lease {
  userId: string;
  connectionId: string;
}

/**
 * Who is there, shared by all nodes. Every change of what others see is given to exactly one caller, who announces it;
 * null and an empty list mean that nothing changed. No method waits for other nodes.
 */
export abstract class PresenceLeases {
  /** A connection has come; that counts as activity. */
  abstract enter(lease: Lease): Promise<Presence | null>;

  /** A connection has gone. Its user is offline when no other comes within the grace. */
  abstract leave(lease: Lease): Promise<Presence | null>;

  /** These connections are still there. One that had run out counts again. */
  abstract renew(leases: readonly Lease[]): Promise<Presence[]>;

  /** The user has done something, on some device. */
  abstract touch(userId: string): Promise<Presence | null>;

  /** The user's own choice, for as long as the user is connected. */
  abstract choose(userId: string, choice: PresencePayload): Promise<Presence | null>;

  /** Changes that have become due: away, gone, run out. To be called again and again, on every node. */
  abstract settle(): Promise<Presence[]>;

  /** What others see of these users; nothing for who is not connected. */
  abstract of(userIds: readonly string[]): Promise<Map<string, Presence>>;

  /** Users who are not offline, behind a user id, in the order of their ids. */
  abstract present(afterUserId: string, limit: number): Promise<Presence[]>;

  /** How many users are not offline. */
  abstract count(): Promise<number>;

  /** This node ends. @returns what no other node will ever settle: all that is lost with this process. */
  abstract close(): Promise<Presence[]>;
}
