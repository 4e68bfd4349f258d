import { Logger } from '@nestjs/common';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { causeOf, DomainError } from '../common/domain-error.js';
import { OVERSIZED } from './bounded-parser.js';
import { Reply } from './reply.js';

const logger = new Logger('Gateway');

/** Gives every event of a socket to its handler, and its answer to the acknowledgement. */
export function dispatcher(handlers: readonly MessageMappingProperties[]) {
  const callbacks = new Map(handlers.map(({ message, callback }) => [message as string, callback]));
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
      // A handler that fails has answered through the filter when this resolves: its answer is then too late to count.
      void Promise.resolve(callback(payloads[0], reply)).then(
        (answer: unknown) => reply.succeed((answer as object | undefined) ?? {}),
        (error: unknown) => reply.fail(error),
      );
    } catch (error) {
      reply.fail(error);
    }
  };
}

function logFault(event: string, error: DomainError, correlationId: string): void {
  if (error.code !== 'internal' && error.code !== 'timeout') return;
  logger.error(`${event.slice(0, 64)} failed with ${error.code} (${correlationId}): ${causeOf(error)}`);
}
