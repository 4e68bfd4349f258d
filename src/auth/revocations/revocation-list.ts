import { Injectable } from '@nestjs/common';
import type { Revocation } from '../../platform/relay/topics.js';
import type { Principal } from '../principal.js';

type TokenIdentity = Pick<Principal, 'userId' | 'jti' | 'issuedAt'>;

/** Something long-lived that a token authorized: a connection or a stream response. */
export interface TokenUser {
  readonly principal: TokenIdentity;
  /** Called when the token is revoked. Must not throw. */
  endRevoked(): void;
}

/** The revocations that this node knows, and the token users to end on new ones. */
@Injectable()
export class RevocationList {
  private readonly tokens = new Set<string>();
  /** User id → tokens issued up to this time (milliseconds since 1970) are revoked. */
  private readonly users = new Map<string, number>();
  private readonly watched = new Set<TokenUser>();

  /** Whether this token is revoked. A token without `issuedAt` is revoked by any revocation of its user. */
  has({ userId, jti, issuedAt }: TokenIdentity): boolean {
    if (jti !== undefined && this.tokens.has(jti)) return true;
    const upTo = this.users.get(userId);
    return upTo !== undefined && (issuedAt === undefined || issuedAt <= upTo);
  }

  /** Adds revocations, known ones included, and ends the token users they concern. */
  add(revocations: readonly Revocation[]): void {
    let isNew = false;
    for (const revocation of revocations) isNew = this.record(revocation) || isNew;
    if (!isNew) return;
    for (const user of this.watched) {
      if (!this.has(user.principal)) continue;
      this.watched.delete(user);
      user.endRevoked();
    }
  }

  /** Ends `user` once when its token is revoked, immediately if it already is. {@link forget} stops the watch. */
  watch(user: TokenUser): void {
    if (this.has(user.principal)) user.endRevoked();
    else this.watched.add(user);
  }

  forget(user: TokenUser): void {
    this.watched.delete(user);
  }

  private record({ kind, value, at }: Revocation): boolean {
    if (kind === 'jti') {
      const isNew = !this.tokens.has(value);
      this.tokens.add(value);
      return isNew;
    }
    if (at <= (this.users.get(value) ?? -1)) return false;
    this.users.set(value, at);
    return true;
  }
}
