import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Connection } from '../connections/connection.js';

/** Whose event it is. Nest's own `@ConnectedSocket` would be another's: all connections share the handlers. */
export const CurrentConnection = createParamDecorator(
  // The arguments are those of the dispatcher's call, behind the socket: payload, reply, connection.
  (_: unknown, context: ExecutionContext): Connection => context.getArgByIndex<Connection>(3),
);
