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

/** How long before its token's end a connection is told, in milliseconds. */
const NOTICE_MS = 60_000;

/** How late a connection is told or ended at most, in milliseconds. */
const SLOT_MS = 250;

/** A connection lives as long as its token, and a little longer: then it ends, unless it brings a new one. */
@Injectable()
export class Expiry implements ConnectionObserver, OnApplicationShutdown {
  /** When connections are told, and when they end. */
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

  /** Tells the connection before its token ends, and ends it some time after, or when the token is revoked. */
  onConnect(connection: Connection): void {
    this.onDisconnect(connection);
    this.revoked.watch(connection);
    const { expiresAt } = connection.principal;
    if (expiresAt !== Infinity) this.due.set(connection, expiresAt - NOTICE_MS);
    // It may have been revoked, or have left, already.
    if (!connection.socket.connected) this.onDisconnect(connection);
  }

  /** The connection has ended. */
  onDisconnect(connection: Connection): void {
    this.revoked.forget(connection);
    this.due.delete(connection);
  }

  private checkExpiry(): void {
    const now = Date.now();
    for (const connection of this.due.take(now)) {
      const { expiresAt } = connection.principal;
      const endsAt = expiresAt + this.config.TOKEN_EXPIRY_GRACE_MS;
      if (now >= endsAt) {
        connection.closeForGood('token_expired', 'The token has expired.');
      } else {
        this.due.set(connection, endsAt);
        connection.emit('auth:expiring', { expiresAt: new Date(expiresAt).toISOString() });
      }
    }
  }

  /**
   * Goes on with another token of the same user: its name, roles and end count from now on.
   * @throws {DomainError} as `Authenticator.authenticate`; `rate_limited` for who guesses; `forbidden` for another user's token.
   */
  async refresh(connection: Connection, token: string): Promise<RefreshResult> {
    const principal = await this.failures.attempt(addressKey(connection.address), () =>
      this.authenticator.authenticate(token),
    );
    const { userId, expiresAt } = principal;
    if (userId !== connection.userId) {
      throw new DomainError('forbidden', 'This token is for another user. Connect anew with it.');
    }
    connection.renew(principal);
    this.onConnect(connection);
    return { userId, ...(Number.isFinite(expiresAt) && { expiresAt: new Date(expiresAt).toISOString() }) };
  }
}
