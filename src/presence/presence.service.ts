import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { authorize, can } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import { PeriodicTask } from '../common/periodic-task.js';
import type { Presence, PresencePayload } from '../protocol/index.js';
import { LastSeen } from './last-seen.js';
import { PresenceLeases, type Lease } from './leases/presence-leases.js';
import { PresenceAnnouncer } from './presence-announcer.js';
import { SharedConversationsStore } from './shared-conversations.store.js';

const SWEEP_INTERVAL_MS = 100;

/** Keeps one presence for each user over all devices, and announces its changes to those who may see them (P9, P10). */
@Injectable()
export class PresenceService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(PresenceService.name);
  private readonly sweeps = new PeriodicTask({
    name: 'sweep presence',
    intervalMs: SWEEP_INTERVAL_MS,
    run: async () => this.publishAll(await this.leases.sweep()),
  });

  constructor(
    private readonly leases: PresenceLeases,
    private readonly announcer: PresenceAnnouncer,
    private readonly lastSeen: LastSeen,
    private readonly sharedConversations: SharedConversationsStore,
  ) {}

  onApplicationBootstrap(): void {
    this.sweeps.start();
  }

  /** Records when the users who disconnect with this process were last seen. */
  async onApplicationShutdown(): Promise<void> {
    await this.sweeps.stop();
    this.announcer.close();
    for (const presence of await this.leases.close()) this.lastSeen.record(presence);
    await this.lastSeen.close();
  }

  /**
   * Records a new connection, which is not notified itself. Neither waits nor throws, like {@link disconnect} and {@link touch}:
   * the next {@link renew} makes up for a failure.
   */
  connect(lease: Lease): void {
    this.publishSoon(this.leases.acquire(lease), lease.connectionId);
  }

  disconnect(lease: Lease): void {
    this.publishSoon(this.leases.release(lease));
  }

  /** Records activity of the user, on any device. */
  touch(userId: string): void {
    this.publishSoon(this.leases.touch(userId));
  }

  /** Sets the status that the user chose. The connection `origin` asked for it, and is not notified. */
  async setStatus(userId: string, status: PresencePayload, origin: string): Promise<void> {
    this.publish(await this.leases.setStatus(userId, status), origin);
  }

  /** Extends the leases of connections that are still open. */
  async renew(leases: readonly Lease[]): Promise<void> {
    this.publishAll(await this.leases.renew(leases));
  }

  /** Returns the presence of each user, as others see it, in the given order. */
  async of(userIds: readonly string[]): Promise<Presence[]> {
    const connected = await this.leases.of(userIds);
    const offline = await this.lastSeen.of(userIds.filter((userId) => !connected.has(userId)));
    return userIds.map((userId) => connected.get(userId) ?? offline.get(userId) ?? neverSeen(userId));
  }

  /** Returns one user's presence. @throws {DomainError} `not_found` where `principal` shares no conversation with the user. */
  async findFor(principal: Principal, userId: string): Promise<Presence> {
    if (!can(principal, 'presence:see', { userId })) {
      const [isAcquainted] = await this.sharedConversations.share([[principal.userId, userId]]);
      authorize(principal, 'presence:see', { isAcquainted });
    }
    return (await this.of([userId]))[0] as Presence;
  }

  /** Lists users who are not offline, in the order of their ids, after `afterUserId`. */
  listOnline(afterUserId: string, limit: number): Promise<Presence[]> {
    return this.leases.listOnline(afterUserId, limit);
  }

  /** Returns how many users are not offline. */
  countOnline(): Promise<number> {
    return this.leases.countOnline();
  }

  private publishSoon(change: Promise<Presence | null>, origin?: string): void {
    change.then(
      (presence) => this.publish(presence, origin),
      (error: unknown) => this.logger.warn('failed to update presence', { error }),
    );
  }

  private publishAll(changes: readonly Presence[]): void {
    for (const presence of changes) this.publish(presence);
  }

  private publish(presence: Presence | null, origin?: string): void {
    if (!presence) return;
    this.lastSeen.record(presence);
    this.announcer.announce({ presence, origin });
  }
}

function neverSeen(userId: string): Presence {
  return { userId, status: 'offline', lastSeenAt: null, version: 0 };
}
