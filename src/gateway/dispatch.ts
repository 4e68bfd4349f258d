import { Logger } from '@nestjs/common';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { causeOf, DomainError } from '../common/domain-error.js';
import { OVERSIZED, TOO_DEEP } from './bounded-parser.js';
import { Reply } from './reply.js';

const logger = new Logger('Gateway');

/** Events and who handles them. */
export type Handlers = ReadonlyMap<string, MessageMappingProperties['callback']>;

/** Gives every event of a socket to its handler, and its answer to the acknowledgement. */
export function dispatcher(callbacks: Handlers) {
  return (event: string, ...args: unknown[]): void => {
    const last = args.at(-1);
    const ack = typeof last === 'function' ? (last as (answer: object) => void) : undefined;
    const reply = new Reply(event, ack, logFault);
    const payloads = ack ? args.slice(0, -1) : args;
    try {
      const callback = callbacks.get(event);
      if (!callback) throw new DomainError('invalid_payload', 'There is no such event.');
      if (payloads.length > 1) throw new DomainError('invalid_payload', 'An event takes one payload.');
      if (payloads[0] === OVERSIZED) {
        throw new DomainError('payload_too_large', 'The event is larger than MAX_PAYLOAD_BYTES.');
      }
      if (payloads[0] === TOO_DEEP)
        throw new DomainError('invalid_payload', 'The payload is nested too deep.');
      // A handler that fails has answered through the filter when this resolves: its answer is then too late to count.
      Promise.resolve(callback(payloads[0], reply))
        .then(
          (answer: unknown) => reply.succeed((answer as object | undefined) ?? {}),
          (error: unknown) => reply.fail(error),
        )
        .catch((error: unknown) => logger.error(`an answer could not be sent: ${String(error)}`));
    } catch (error) {
      reply.fail(error);
    }
  };
}

function logFault(event: string, error: DomainError, correlationId: string): void {
  if (error.code !== 'internal' && error.code !== 'timeout') return;
  logger.error(`${event.slice(0, 64)} failed with ${error.code} (${correlationId}): ${causeOf(error)}`);
}
