import { Injectable, Logger } from '@nestjs/common';
import { authorize, can } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import type { Presence, PresencePayload } from '../protocol/index.js';
import { SharedConversationsStore } from './shared-conversations.store.js';
import { LastSeen } from './last-seen.js';
import { PresenceAnnouncer } from './presence-announcer.js';
import { PresenceLeases, type Lease } from './leases/presence-leases.js';

/** Who is there: one status for each user, over all devices, told to those whom it concerns (P9, P10). */
@Injectable()
export class PresenceService {
  private readonly logger = new Logger(PresenceService.name);

  constructor(
    private readonly leases: PresenceLeases,
    private readonly announcer: PresenceAnnouncer,
    private readonly lastSeen: LastSeen,
    private readonly sharedConversations: SharedConversationsStore,
  ) {}

  /** A connection has come. Does not wait and does not throw, as {@link leave} and {@link touch}: renewing mends it. */
  enter(lease: Lease): void {
    this.inBackground(this.leases.enter(lease), lease.connectionId);
  }

  leave(lease: Lease): void {
    this.inBackground(this.leases.leave(lease));
  }

  /** The user has done something on some device. */
  touch(userId: string): void {
    this.inBackground(this.leases.touch(userId));
  }

  /** Sets the user's own choice. `origin`: the connection that asked, which is not told. */
  async choose(userId: string, choice: PresencePayload, origin: string): Promise<void> {
    this.tell(await this.leases.choose(userId, choice), origin);
  }

  /** These connections are still there. */
  async renew(leases: readonly Lease[]): Promise<void> {
    for (const change of await this.leases.renew(leases)) this.tell(change);
  }

  /** Tells what has become due. */
  async settle(): Promise<void> {
    for (const change of await this.leases.settle()) this.tell(change);
  }

  /** What others see of each user, in the order asked for. */
  async of(userIds: readonly string[]): Promise<Presence[]> {
    const here = await this.leases.of(userIds);
    const gone = await this.lastSeen.of(userIds.filter((userId) => !here.has(userId)));
    return userIds.map((userId) => here.get(userId) ?? gone.get(userId) ?? neverSeen(userId));
  }

  /** One user, as `principal` may see it. @throws {DomainError} `not_found` for who shares no conversation with it. */
  async seenBy(principal: Principal, userId: string): Promise<Presence> {
    if (!can(principal, 'presence:see', { userId })) {
      const [isAcquainted] = await this.sharedConversations.share([[principal.userId, userId]]);
      authorize(principal, 'presence:see', { isAcquainted });
    }
    return (await this.of([userId]))[0] as Presence;
  }

  /** Users who are not offline, behind a user id. */
  present(afterUserId: string, limit: number): Promise<Presence[]> {
    return this.leases.present(afterUserId, limit);
  }

  /** How many users are not offline. */
  count(): Promise<number> {
    return this.leases.count();
  }

  /** Writes down when those who go with this process were last seen. */
  async close(): Promise<void> {
    this.announcer.close();
    for (const state of await this.leases.close()) this.lastSeen.note(state);
    await this.lastSeen.close();
  }

  private inBackground(change: Promise<Presence | null>, origin?: string): void {
    change.then(
      (presence) => this.tell(presence, origin),
      (error: unknown) => this.logger.warn(`a change of presence was missed: ${String(error)}`),
    );
  }

  private tell(presence: Presence | null, origin?: string): void {
    if (!presence) return;
    this.lastSeen.note(presence);
    this.announcer.announce({ presence, origin });
  }
}

function neverSeen(userId: string): Presence {
  return { userId, status: 'offline', lastSeenAt: null, version: 0 };
}
