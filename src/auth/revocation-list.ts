import { Injectable } from '@nestjs/common';
import type { Revocation } from '../relay/topics.js';
import type { Principal } from './principal.js';

type Bearer = Pick<Principal, 'userId' | 'jti' | 'issuedAt'>;

interface Watcher {
  readonly bearer: Bearer;
  readonly end: () => void;
}

/** The revocations as this node knows them, and who must hear of new ones. */
@Injectable()
export class RevocationList {
  private readonly tokens = new Set<string>();
  /** Users, and up to when (milliseconds since 1970) the tokens that name them are revoked. */
  private readonly users = new Map<string, number>();
  private readonly watchers = new Set<Watcher>();

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
    for (const watcher of this.watchers) {
      if (!this.has(watcher.bearer)) continue;
      this.watchers.delete(watcher);
      watcher.end();
    }
  }

  /**
   * Calls `end` once when the token behind `bearer` is revoked, at once where it is already, unless the returned function
   * is called before. `end` must not throw.
   */
  watch(bearer: Bearer, end: () => void): () => void {
    if (this.has(bearer)) {
      end();
      return () => {};
    }
    const watcher = { bearer, end };
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
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
