import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Authenticator } from '../../auth/authenticator.js';
import { RevocationList } from '../../auth/revocations/revocation-list.js';
import { DomainError } from '../../common/domain-error.js';
import { DeadlineQueue } from '../../common/deadline-queue.js';
import { PeriodicTask } from '../../common/periodic-task.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { AuthFailures } from '../../platform/limits/auth-failures.js';
import { addressKey } from '../../platform/limits/client-addresses.js';
import type { RefreshResult } from '../../protocol/index.js';
import type { Connection } from './connection.js';
import type { ConnectionObserver } from './connection-observer.js';

/** How long before the end of its token a connection is notified, in milliseconds. */
const NOTICE_MS = 60_000;

/** How late a connection is notified or closed at most, in milliseconds. */
const SLOT_MS = 250;

/** Closes connections some time after their tokens end, unless they refresh them (protocol section 4.2.9). */
@Injectable()
export class Expiry implements ConnectionObserver, OnApplicationShutdown {
  /** When connections are notified, and then when they are closed. */
  private readonly due = new DeadlineQueue<Connection>(SLOT_MS);
  private readonly checks = new PeriodicTask({
    name: 'check token expiry',
    intervalMs: SLOT_MS,
    run: () => this.checkExpiry(),
  });

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly authenticator: Authenticator,
    private readonly revoked: RevocationList,
    private readonly failures: AuthFailures,
  ) {
    this.checks.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.checks.stop();
  }

  /** Notifies the connection before its token ends, closes it `TOKEN_EXPIRY_GRACE_MS` after that, or when the token is revoked. */
  onConnect(connection: Connection): void {
    this.onDisconnect(connection);
    this.revoked.watch(connection);
    const { expiresAt } = connection.principal;
    if (expiresAt !== Infinity) this.due.set(connection, expiresAt - NOTICE_MS);
    // A revoked token has closed it by now, or the client has left.
    if (!connection.socket.connected) this.onDisconnect(connection);
  }

  onDisconnect(connection: Connection): void {
    this.revoked.forget(connection);
    this.due.delete(connection);
  }

  private checkExpiry(): void {
    const now = Date.now();
    for (const connection of this.due.takeDue(now)) {
      const { expiresAt } = connection.principal;
      const endsAt = expiresAt + this.config.TOKEN_EXPIRY_GRACE_MS;
      if (now >= endsAt) {
        connection.close('token_expired');
      } else {
        this.due.set(connection, endsAt);
        connection.emit('auth:expiring', { expiresAt: new Date(expiresAt).toISOString() });
      }
    }
  }

  /**
   * Replaces the connection's token by another of the same user, with its name, roles and end.
   * @throws {DomainError} as `Authenticator.authenticate`; `rate_limited` after failed attempts; `forbidden` for another user's token.
   */
  async refresh(connection: Connection, token: string): Promise<RefreshResult> {
    const principal = await this.failures.attempt(addressKey(connection.address), () =>
      this.authenticator.authenticate(token),
    );
    const { userId, expiresAt } = principal;
    if (userId !== connection.userId) {
      throw new DomainError('forbidden', 'This token is for another user. Open a new connection with it.');
    }
    connection.renew(principal);
    this.onConnect(connection);
    return { userId, ...(Number.isFinite(expiresAt) && { expiresAt: new Date(expiresAt).toISOString() }) };
  }
}
