import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Work } from '../../platform/tracing/request-context.js';
import type { Reply } from './ack.js';

/** What the event makes the service do. */
export const CurrentWork = createParamDecorator(
  // The arguments are those of the dispatcher's call, behind the socket: payload, reply.
  (_: unknown, context: ExecutionContext): Work => context.getArgByIndex<Reply>(2).work,
);
