import { Injectable } from '@nestjs/common';
import type { Revocation } from '../platform/relay/topics.js';
import type { Principal } from './principal.js';

type Bearer = Pick<Principal, 'userId' | 'jti' | 'issuedAt'>;

/** Who goes by a token for longer than a moment. */
export interface TokenUser {
  readonly principal: Bearer;
  /** The token is revoked. Must not throw. */
  endRevoked(): void;
}

/** The revocations as this node knows them, and who must hear of new ones. */
@Injectable()
export class RevocationList {
  private readonly tokens = new Set<string>();
  /** Users, and up to when (milliseconds since 1970) the tokens that name them are revoked. */
  private readonly users = new Map<string, number>();
  private readonly watched = new Set<TokenUser>();

  /** Whether the token that made `bearer` is revoked. Without `issuedAt` it is, once its user ever was. */
  has({ userId, jti, issuedAt }: Bearer): boolean {
    if (jti !== undefined && this.tokens.has(jti)) return true;
    const upTo = this.users.get(userId);
    return upTo !== undefined && (issuedAt === undefined || issuedAt <= upTo);
  }

  /** Takes revocations, known ones too, and ends whom they concern. */
  add(revocations: readonly Revocation[]): void {
    let isNews = false;
    for (const revocation of revocations) isNews = this.note(revocation) || isNews;
    if (!isNews) return;
    for (const user of this.watched) {
      if (!this.has(user.principal)) continue;
      this.watched.delete(user);
      user.endRevoked();
    }
  }

  /** Ends `user` once when its token is revoked, at once where it is already, unless it is forgotten before. */
  watch(user: TokenUser): void {
    if (this.has(user.principal)) user.endRevoked();
    else this.watched.add(user);
  }

  forget(user: TokenUser): void {
    this.watched.delete(user);
  }

  private note({ kind, value, at }: Revocation): boolean {
    if (kind === 'jti') {
      const isNews = !this.tokens.has(value);
      this.tokens.add(value);
      return isNews;
    }
    if (at <= (this.users.get(value) ?? -1)) return false;
    this.users.set(value, at);
    return true;
  }
}
