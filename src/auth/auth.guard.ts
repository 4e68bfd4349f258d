import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Response } from 'express';
import { DomainError } from '../common/domain-error.js';
import { HttpLimits } from '../platform/limits/http-limits.js';
import { Authenticator } from './authenticator.js';
import { bearerToken } from '../platform/http/bearer.js';
import { PUBLIC_ROUTE, TICKET_ROUTE, type AuthenticatedRequest } from './decorators.js';
import { TicketService } from './tokens/ticket.service.js';

/**
 * Authenticates every HTTP request to a route that is not public, by Bearer or, where the route allows it, by ticket.
 * Sockets are authenticated in their handshake instead.
 */
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
 * Sets `WWW-Authenticate` on `response` when `error` asks for a token (RFC 9110, 11.6.1; RFC 6750, 3). Does not write the
 * error's body.
 */
export function challenge(response: Response, error: unknown, tokenWasSent: boolean): void {
  if (!(error instanceof DomainError)) return;
  if (error.code !== 'unauthenticated' && error.code !== 'token_expired') return;
  response.setHeader('WWW-Authenticate', tokenWasSent ? 'Bearer error="invalid_token"' : 'Bearer');
}
