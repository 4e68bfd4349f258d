import { Inject, Injectable } from '@nestjs/common';
import { Authenticator } from '../auth/authenticator.js';
import { RevocationList } from '../auth/revocation-list.js';
import { callAt } from '../common/call-at.js';
import { DomainError } from '../common/domain-error.js';
import { CONFIG, type Config } from '../config/config.js';
import { AuthFailures } from '../limits/auth-failures.js';
import { addressKey } from '../limits/client-addresses.js';
import type { RefreshAnswer } from '../protocol/index.js';
import type { Connection } from './connection.js';

/** How long before its token's end a connection is told, in milliseconds. */
const NOTICE_MS = 60_000;

/** A connection lives as long as its token, and a little longer: then it ends, unless it brings a new one. */
@Injectable()
export class Expiry {
  private readonly watches = new Map<Connection, () => void>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly authenticator: Authenticator,
    private readonly revoked: RevocationList,
    private readonly failures: AuthFailures,
  ) {}

  /** Tells the connection before its token ends, and ends it some time after, or when the token is revoked. */
  watch(connection: Connection): void {
    this.forget(connection);
    const { principal } = connection;
    const { expiresAt } = principal;
    const notice = (): void =>
      connection.emit('auth:expiring', { expiresAt: new Date(expiresAt).toISOString() });
    const stops = [
      callAt(expiresAt - NOTICE_MS, notice),
      callAt(expiresAt + this.config.TOKEN_EXPIRY_GRACE_MS, () =>
        connection.expel('token_expired', 'The token has expired.'),
      ),
      this.revoked.watch(principal, () => connection.expel('unauthenticated', 'The token was revoked.')),
    ];
    this.watches.set(connection, () => {
      for (const stop of stops) stop();
    });
    // It may have been revoked, or have left, already.
    if (!connection.socket.connected) this.forget(connection);
  }

  /** The connection has ended. */
  forget(connection: Connection): void {
    this.watches.get(connection)?.();
    this.watches.delete(connection);
  }

  /**
   * Goes on with another token of the same user: its name, roles and end count from now on.
   * @throws {DomainError} as `Authenticator.authenticate`; `rate_limited` for who guesses; `forbidden` for another user's token.
   */
  async refresh(connection: Connection, token: string): Promise<RefreshAnswer> {
    const principal = await this.failures.attempt(addressKey(connection.address), () =>
      this.authenticator.authenticate(token),
    );
    const { userId, expiresAt } = principal;
    if (userId !== connection.userId) {
      throw new DomainError('forbidden', 'This token is for another user. Connect anew with it.');
    }
    connection.renew(principal);
    this.watch(connection);
    return { userId, ...(Number.isFinite(expiresAt) && { expiresAt: new Date(expiresAt).toISOString() }) };
  }
}
