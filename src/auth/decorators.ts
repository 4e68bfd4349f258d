import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from './principal.js';

/** Metadata key of {@link Public}. */
export const PUBLIC_ROUTE = Symbol('PublicRoute');

/** Metadata key of {@link TicketAllowed}. */
export const TICKET_ROUTE = Symbol('TicketRoute');

/** A request that has passed the `AuthGuard`; on public routes it has no principal. */
export interface AuthenticatedRequest extends Request {
  principal?: Principal;
}

/** Makes a route, or all routes of a controller, public. A token is not read there, so none is refused either. */
export const Public = () => SetMetadata(PUBLIC_ROUTE, true);

/**
 * Accepts a stream ticket in `?ticket=` on a route where the request has no Bearer. The route must be read-only, and its
 * path must contain `:streamId`: the ticket must be for that stream.
 */
export const TicketAllowed = () => SetMetadata(TICKET_ROUTE, true);

/** Injects the {@link Principal} of the request into a handler. @throws {Error} on a {@link Public} route, which has none. */
export const CurrentPrincipal = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (!principal) throw new Error('CurrentPrincipal is used on a route that the AuthGuard does not protect.');
  return principal;
});
