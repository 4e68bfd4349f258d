import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { DomainError } from '../common/domain-error.js';
import { HttpLimits } from '../platform/limits/http-limits.js';
import { Authenticator } from './authenticator.js';
import { bearerToken } from './bearer.js';
import type { Principal } from './principal.js';
import { PUBLIC_ROUTE } from './public.decorator.js';
import { TICKET_ROUTE } from './ticket-allowed.decorator.js';
import { TicketService } from './ticket.service.js';

/** A request that has passed the {@link AuthGuard}; on public routes it has no principal. */
export interface AuthenticatedRequest extends Request {
  principal?: Principal;
}

/** Authenticates every HTTP request that is not to a public route, by Bearer or, where allowed, by ticket. Sockets are authenticated before they connect, not here. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly reflector: Reflector,
    private readonly tickets: TicketService,
    private readonly limits: HttpLimits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || this.isMarked(PUBLIC_ROUTE, context)) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = bearerToken(request.headers.authorization);
    const ticket = this.isMarked(TICKET_ROUTE, context) ? request.query['ticket'] : undefined;
    const byTicket = token === undefined && ticket !== undefined;
    try {
      const principal = await this.limits.attempt(request, () =>
        byTicket
          ? this.tickets.verify(ticket, String(request.params['streamId']))
          : this.authenticator.authenticate(token),
      );
      await this.limits.countUser(principal.userId);
      request.principal = principal;
      return true;
    } catch (error) {
      challenge(context.switchToHttp().getResponse<Response>(), error, token !== undefined || byTicket);
      throw error;
    }
  }

  private isMarked(mark: symbol, context: ExecutionContext): boolean {
    const targets = [context.getHandler(), context.getClass()];
    return this.reflector.getAllAndOverride<boolean | undefined>(mark, targets) === true;
  }
}

/**
 * Sets `WWW-Authenticate` on `response` where `error` asks for a token (RFC 9110, 11.6.1; RFC 6750, 3); the error's own
 * body is written elsewhere.
 */
export function challenge(response: Response, error: unknown, tokenWasSent: boolean): void {
  if (!(error instanceof DomainError)) return;
  if (error.code !== 'unauthenticated' && error.code !== 'token_expired') return;
  response.setHeader('WWW-Authenticate', tokenWasSent ? 'Bearer error="invalid_token"' : 'Bearer');
}
