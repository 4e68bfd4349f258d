import { Logger } from '@nestjs/common';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { DomainError } from '../common/domain-error.js';
import { beginSpan } from '../common/tracing.js';
import { within, Work } from '../common/work.js';
import { OVERSIZED, TOO_DEEP } from './bounded-parser.js';
import type { EventGate } from './event-gate.js';
import type { EventMetrics } from './event-metrics.js';
import { Reply } from './reply.js';

const logger = new Logger('Gateway');

type Callback = MessageMappingProperties['callback'];

/** Events and who handles them. */
export type Handlers = ReadonlyMap<string, Callback>;

interface Passage {
  gate: EventGate;
  metrics: EventMetrics;
}

/** Gives every event of a socket that the gate lets through to its handler, and its answer to the acknowledgement. */
export function dispatcher(callbacks: Handlers, { gate, metrics }: Passage) {
  return (event: string, ...args: unknown[]): void => {
    const last = args.at(-1);
    const ack = typeof last === 'function' ? (last as (answer: object) => void) : undefined;
    const payloads = ack ? args.slice(0, -1) : args;
    dispatch(event, payloads, ack).catch((error: unknown) =>
      logger.error('an answer could not be sent', error),
    );
  };

  async function dispatch(event: string, payloads: unknown[], ack?: (answer: object) => void): Promise<void> {
    const settled = metrics.begin(callbacks.has(event) ? event : undefined);
    const refusal = await gate.admit(event);
    const name = callbacks.has(event) ? event : 'unknown event';
    const span = beginSpan(name, { kind: 'server', work: new Work() });
    const reply = new Reply(event, ack, { failed: logFault, settled, span });
    if (refusal) return reply.fail(refusal);
    try {
      const callback = handlerOf(callbacks, event, payloads);
      gate.enter(() => handle(callback, payloads[0], reply));
    } catch (error) {
      reply.fail(error);
    }
  }
}

/** @throws {DomainError} for what no handler takes. */
function handlerOf(callbacks: Handlers, event: string, payloads: readonly unknown[]): Callback {
  const callback = callbacks.get(event);
  if (!callback) throw new DomainError('invalid_payload', 'There is no such event.');
  if (payloads.length > 1) throw new DomainError('invalid_payload', 'An event takes one payload.');
  if (payloads[0] === OVERSIZED) {
    throw new DomainError('payload_too_large', 'The event is larger than MAX_PAYLOAD_BYTES.');
  }
  if (payloads[0] === TOO_DEEP) throw new DomainError('invalid_payload', 'The payload is nested too deep.');
  return callback;
}

/** Never rejects. */
async function handle(callback: Callback, payload: unknown, reply: Reply): Promise<void> {
  // It was answered with `timeout` while it waited for its turn.
  if (reply.isSettled) return;
  try {
    // A handler that fails has answered through the filter when this resolves: its answer is then too late to count.
    const answer: unknown = await within(reply.work, () => callback(payload, reply));
    reply.succeed((answer as object | undefined) ?? {});
  } catch (error) {
    reply.fail(error);
  }
}

function logFault(event: string, error: DomainError, correlationId: string): void {
  const fields = { correlationId, event: event.slice(0, 64), code: error.code };
  const message = `${fields.event} failed with ${error.code}`;
  if (error.code === 'internal') logger.error(message, fields, error);
  // An overload brings many of them, and its stack says nothing.
  if (error.code === 'timeout') logger.warn(message, fields);
}
