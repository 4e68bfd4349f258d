import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { Ack } from './ack.js';

/** What the event makes the service do. */
export const CurrentContext = createParamDecorator(
  // The arguments are those of the dispatcher's call, behind the socket: payload, reply.
  (_: unknown, context: ExecutionContext): RequestContext => context.getArgByIndex<Ack>(2).context,
);
