import { Injectable, Logger } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { causeOf } from '../../platform/database/errors.js';
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
import { Ack, type AckCallback } from './ack.js';
import { EventHandlers, type EventHandler } from './event-handlers.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';

const logger = new Logger('Gateway');
const timeouts = new ThrottledLog((fields) => logger.warn('an event failed with timeout', fields));
const overloads = new ThrottledLog((fields) => logger.warn('an event was refused by an overload', fields));

/** An event of a client, as Socket.IO emits it. */
interface ClientEvent {
  name: string;
  payloads: readonly unknown[];
  /** Undefined where the client gave no callback. */
  ack: AckCallback | undefined;
}

/** Hands each event that its connection's throttle admits to its handler, and acks what the handler returns or throws. */
@Injectable()
export class Dispatcher implements ConnectionObserver {
  private readonly throttling: ThrottleOptions;

  constructor(
    private readonly handlers: EventHandlers,
    private readonly metrics: EventMetrics,
    private readonly activity: ConnectionActivity,
    limits: RateLimits,
    limitsMetrics: LimitsMetrics,
  ) {
    this.throttling = { limits, onFull: limitsMetrics.refusalsOf('events_waiting') };
  }

  onConnect(connection: Connection): void {
    const throttle = new ConnectionThrottle(connection, this.throttling);
    connection.socket.onAny((wireName: unknown, ...args: unknown[]) => {
      // Socket.IO accepts numbers, too.
      const name = String(wireName);
      const last = args.at(-1);
      const ack = typeof last === 'function' ? (last as AckCallback) : undefined;
      const payloads = ack ? args.slice(0, -1) : args;
      this.activity.onEvent(connection);
      this.dispatch(throttle, { name, payloads, ack }).catch((error: unknown) =>
        logger.error('failed to ack an event', error),
      );
    });
  }

  private async dispatch(throttle: ConnectionThrottle, event: ClientEvent): Promise<void> {
    const known = this.handlers.get(event.name) ? event.name : undefined;
    const settled = this.metrics.begin(known);
    const refusal = await throttle.admit(event.name);
    const span = beginSpan(known ?? 'unknown event', { kind: 'server', context: new RequestContext() });
    const ack = new Ack(event.name, event.ack, { failed: logFault, settled, span });
    if (refusal) return ack.fail(refusal);
    try {
      const handler = this.handlerOf(event);
      const [payload] = event.payloads;
      const { connection } = throttle;
      const act = (): unknown => {
        this.activity.onHandle(connection, event.name, payload);
        return handler(payload, connection, ack.context);
      };
      throttle.enter(() => handle(ack, act), this.activity.orderOf(connection, event.name, payload));
    } catch (error) {
      ack.fail(error);
    }
  }

  /** @throws {DomainError} where no handler takes the event. */
  private handlerOf({ name, payloads }: ClientEvent): EventHandler {
    const handler = this.handlers.get(name);
    if (!handler) throw invalid(['there is no such event']);
    if (payloads.length > 1) throw invalid(['an event takes one payload']);
    if (payloads[0] === OVERSIZED) {
      throw new DomainError('payload_too_large', 'The event is larger than MAX_PAYLOAD_BYTES.');
    }
    if (payloads[0] === TOO_DEEP) throw invalid(['the payload is nested too deep']);
    return handler;
  }
}

/** Never rejects. */
async function handle(ack: Ack, act: () => unknown): Promise<void> {
  // It timed out while it waited for its turn.
  if (ack.isSettled) return;
  try {
    const fields: unknown = await runInContext(ack.context, act);
    ack.succeed((fields as object | undefined) ?? {});
  } catch (error) {
    ack.fail(error);
  }
}

function logFault(event: string, error: DomainError, correlationId: string): void {
  const fields = { correlationId, event: event.slice(0, 64), code: error.code };
  if (error.code === 'internal') logger.error('an event failed with internal', fields, error);
  if (error.code === 'timeout') timeouts.add({ ...fields, cause: causeOf(error) });
  if (error.code === 'overloaded') overloads.add(fields);
}
