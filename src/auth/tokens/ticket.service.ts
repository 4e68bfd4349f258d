import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { randomText } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { GUEST_PREFIX } from '../../protocol/index.js';
import { AuthKeys } from './auth-keys.js';
import { appPrincipal, guestPrincipal } from './claims.js';
import type { Principal } from '../principal.js';
import { unauthenticated } from './token-errors.js';
import { signToken } from './token-signer.js';
import { TokenVerifier } from './token-verifier.js';

const TICKET_TYPE = 'ticket+jwt';

export interface Ticket {
  ticket: string;
  /** ISO 8601, UTC. */
  expiresAt: string;
}

/**
 * Issues and verifies stream tickets, for EventSource, which cannot send an `Authorization` header. A ticket lets its user read one stream,
 * any number of times until the ticket expires. Nothing is stored. Revoking the user's token revokes its tickets.
 */
@Injectable()
export class TicketService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: AuthKeys,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
  ) {}

  /** Issues a ticket for `principal`, valid for TICKET_TTL_MS. The caller has checked that it may read the stream. */
  async issue(principal: Principal, streamId: string): Promise<Ticket> {
    const { userId: sub, name, roles, jti: tokenId, issuedAt: tokenIssuedAt } = principal;
    const issuedAt = this.clock.now();
    // JWT times are whole seconds: the expiry in the response must equal the signed one.
    const expiresAt = Math.ceil((issuedAt + this.config.TICKET_TTL_MS) / 1000) * 1000;
    // `tokenIssuedAt` is in milliseconds, as in a principal.
    const claims = { stream: streamId, name, roles, tokenId, tokenIssuedAt };
    const jti = randomText(16);
    const content = { sub, issuedAt, expiresAt, jti, type: TICKET_TYPE, claims };
    const ticket = await signToken(content, this.keys.own[0]);
    return { ticket, expiresAt: new Date(expiresAt).toISOString() };
  }

  /**
   * Returns the user whom `ticket` lets read the stream `streamId`. Does not check whether the user may still read it.
   * @throws {DomainError} `token_expired`; `unauthenticated` for every other fault, also for another stream's ticket.
   */
  async verify(ticket: unknown, streamId: string): Promise<Principal> {
    if (typeof ticket !== 'string') throw unauthenticated('The ticket must be a string.');
    const { stream, tokenId, tokenIssuedAt, ...own } = await this.verifier.verifyOwn(ticket, TICKET_TYPE);
    if (stream !== streamId) throw unauthenticated('The ticket is for another stream.');
    // Revocations must see the original token's jti and iat, which may be missing, not the ticket's.
    const { iat: _, ...claims } = { ...own, jti: tokenId } as typeof own;
    const principal = own.sub?.startsWith(GUEST_PREFIX) ? guestPrincipal(claims) : appPrincipal(claims);
    const issuedAt = typeof tokenIssuedAt === 'number' ? { issuedAt: tokenIssuedAt } : {};
    return this.verifier.requireUnrevoked({ ...principal, ...issuedAt });
  }
}
