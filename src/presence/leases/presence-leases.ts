import type { Presence, PresencePayload } from '../../protocol/index.js';

/** A connection's lease: while it holds, its user is online. */
export interface Lease {
  userId: string;
  connectionId: string;
}

/**
 * Presence of users, shared by all nodes. Each change of what others see is returned to exactly one caller, who announces it;
 * null and an empty list mean that nothing changed. No method waits for other nodes.
 */
export abstract class PresenceLeases {
  /** Gives a new connection a lease. Counts as activity. */
  abstract acquire(lease: Lease): Promise<Presence | null>;

  /** Ends a connection's lease. The user goes offline unless another connection comes within the grace period. */
  abstract release(lease: Lease): Promise<Presence | null>;

  /** Extends the leases of connections that are still open. An expired lease is valid again. */
  abstract renew(leases: readonly Lease[]): Promise<Presence[]>;

  /** Records activity of the user, on any device. */
  abstract touch(userId: string): Promise<Presence | null>;

  /** Sets the status that the user chose. It lasts while the user is connected; `online` means none. */
  abstract setStatus(userId: string, status: PresencePayload): Promise<Presence | null>;

  /** Returns the changes that are due: users who are away, gone or expired. Every node must call it periodically. */
  abstract sweep(): Promise<Presence[]>;

  /** Returns what others see of these users; users who are not connected are missing. */
  abstract of(userIds: readonly string[]): Promise<Map<string, Presence>>;

  /** Lists users who are not offline, in the order of their ids, after `afterUserId`. */
  abstract listOnline(afterUserId: string, limit: number): Promise<Presence[]>;

  /** Returns how many users are not offline. */
  abstract countOnline(): Promise<number>;

  /** Ends this node's part. @returns the changes that no other node will sweep: all that is lost with this process. */
  abstract close(): Promise<Presence[]>;
}
