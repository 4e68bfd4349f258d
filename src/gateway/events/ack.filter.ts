import { Catch, type ArgumentsHost, type WsExceptionFilter } from '@nestjs/common';
import type { Ack } from './ack.js';

/** Answers an event whose handler threw. Nest's own filter would emit the payload back and never call the ack. */
@Catch()
export class AckFilter implements WsExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    // The arguments are those of the dispatcher's call, behind the socket: payload, reply.
    host.getArgByIndex<Ack>(2).fail(error);
  }
}
