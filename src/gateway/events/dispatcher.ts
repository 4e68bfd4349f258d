import { Injectable, Logger } from '@nestjs/common';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { DomainError } from '../../common/domain-error.js';
import { invalid } from '../../platform/validation/payload.js';
import { ThrottledLog } from '../../common/throttled-log.js';
import { beginSpan } from '../../platform/tracing/tracer.js';
import { runInContext, RequestContext } from '../../platform/tracing/request-context.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import { RateLimits } from '../../platform/limits/rate-limits.js';
import { OVERSIZED, TOO_DEEP } from '../engine/bounded-parser.js';
import type { Connection } from '../connections/connection.js';
import { ConnectionThrottle, type ThrottleOptions } from './connection-throttle.js';
import { EventMetrics } from './event-metrics.js';
import { ConnectionActivity } from '../connections/connection-activity.js';
import { Ack } from './ack.js';

const logger = new Logger('Gateway');
const timeouts = new ThrottledLog((fields) => logger.warn('an event failed with timeout', fields));
const overloads = new ThrottledLog((fields) => logger.warn('an event was refused by an overload', fields));

type Callback = MessageMappingProperties['callback'];

/** An event of a client, as Socket.IO gives it. */
interface ClientEvent {
  name: string;
  payloads: readonly unknown[];
  /** The client's callback; undefined where it gave none. */
  ack: ((answer: object) => void) | undefined;
}

/** Gives every event that its connection's gate lets through to its handler, and its answer to the acknowledgement. */
@Injectable()
export class Dispatcher {
  /** Of all connections: each may have tens of thousands of neighbours. */
  private readonly handlers = new Map<string, Callback>();
  private readonly gates: ThrottleOptions;

  constructor(
    private readonly metrics: EventMetrics,
    private readonly activity: ConnectionActivity,
    limits: RateLimits,
    limitsMetrics: LimitsMetrics,
  ) {
    this.gates = { limits, onFull: limitsMetrics.refusalsOf('events_waiting') };
  }

  /** Takes the handlers of a gateway, once; they are called with payload, reply and connection. */
  learn(handlers: readonly MessageMappingProperties[]): void {
    for (const { message, callback } of handlers) {
      if (!this.handlers.has(message as string)) this.handlers.set(message as string, callback);
    }
  }

  /** From now on the events of `connection` are handled. */
  listen(connection: Connection): void {
    const throttle = new ConnectionThrottle(connection, this.gates);
    connection.socket.onAny((wireName: unknown, ...args: unknown[]) => {
      // Socket.IO takes numbers, too.
      const name = String(wireName);
      const last = args.at(-1);
      const ack = typeof last === 'function' ? (last as (answer: object) => void) : undefined;
      const payloads = ack ? args.slice(0, -1) : args;
      this.activity.onEvent(connection, name, payloads[0]);
      this.dispatch(throttle, { name, payloads, ack }).catch((error: unknown) =>
        logger.error('an answer could not be sent', error),
      );
    });
  }

  private async dispatch(throttle: ConnectionThrottle, event: ClientEvent): Promise<void> {
    const known = this.handlers.has(event.name) ? event.name : undefined;
    const settled = this.metrics.begin(known);
    const refusal = await throttle.admit(event.name);
    const span = beginSpan(known ?? 'unknown event', { kind: 'server', context: new RequestContext() });
    const ack = new Ack(event.name, event.ack, { failed: logFault, settled, span });
    if (refusal) return ack.fail(refusal);
    try {
      const callback = this.handlerOf(event);
      throttle.enter(() => handle(() => callback(event.payloads[0], ack, throttle.connection), ack));
    } catch (error) {
      ack.fail(error);
    }
  }

  /** @throws {DomainError} for what no handler takes. */
  private handlerOf({ name, payloads }: ClientEvent): Callback {
    const callback = this.handlers.get(name);
    if (!callback) throw invalid(['there is no such event']);
    if (payloads.length > 1) throw invalid(['an event takes one payload']);
    if (payloads[0] === OVERSIZED) {
      throw new DomainError('payload_too_large', 'The event is larger than MAX_PAYLOAD_BYTES.');
    }
    if (payloads[0] === TOO_DEEP) throw invalid(['the payload is nested too deep']);
    return callback;
  }
}

/** Never rejects. */
async function handle(act: () => unknown, ack: Ack): Promise<void> {
  // It was answered with `timeout` while it waited for its turn.
  if (ack.isSettled) return;
  try {
    // A handler that fails has answered through the filter when this resolves: its answer is then too late to count.
    const answer: unknown = await runInContext(ack.context, act);
    ack.succeed((answer as object | undefined) ?? {});
  } catch (error) {
    ack.fail(error);
  }
}

function logFault(event: string, error: DomainError, correlationId: string): void {
  const fields = { correlationId, event: event.slice(0, 64), code: error.code };
  if (error.code === 'internal') logger.error(`${fields.event} failed with internal`, fields, error);
  if (error.code === 'timeout') timeouts.add(fields);
  if (error.code === 'overloaded') overloads.add(fields);
}
