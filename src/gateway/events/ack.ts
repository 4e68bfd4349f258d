import { DomainError } from '../../common/domain-error.js';
import type { Span } from '../../platform/tracing/tracer.js';
import { RequestContext } from '../../platform/tracing/request-context.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import { LIMITS, type ErrorCode, type WireError } from '../../protocol/index.js';

/** The callback that the client gave. Socket.IO sends its argument. */
export type AckCallback = (ack: object) => void;

/** Notified of how an event was acked. */
export interface AckObserver {
  failed: (event: string, error: DomainError, correlationId: string) => void;
  settled: (outcome: 'ok' | ErrorCode) => void;
  span?: Span | undefined;
}

/** The acknowledgement of one event: called exactly once, on success, error and timeout alike (protocol section 4). */
export class Ack {
  /** The context of everything that the event causes. */
  readonly context: RequestContext;
  private readonly timer: NodeJS.Timeout;
  private done = false;

  /** @param ack the client's callback; without one only the observer is notified. */
  constructor(
    private readonly event: string,
    private readonly ack: AckCallback | undefined,
    private readonly observer: AckObserver,
  ) {
    this.context = observer.span?.context ?? new RequestContext();
    this.timer = setTimeout(() => {
      this.fail(new DomainError('timeout', 'The request took too long. Send it again.'));
    }, LIMITS.requestTimeoutMs);
  }

  get isSettled(): boolean {
    return this.done;
  }

  /** Acks `fields` beside `ok`. Does nothing once settled, as {@link fail}. */
  succeed(fields: object): void {
    this.settle({ ok: true, ...fields }, 'ok');
  }

  fail(error: unknown): void {
    if (this.done) return;
    const fault = toDatabaseError(error);
    this.observer.failed(this.event, fault, this.context.id);
    this.settle({ ok: false, error: fault.toWire(this.context.id) satisfies WireError }, fault.code);
  }

  private settle(payload: object, outcome: 'ok' | ErrorCode): void {
    if (this.done) return;
    this.done = true;
    clearTimeout(this.timer);
    this.observer.settled(outcome);
    this.observer.span?.end(outcome === 'ok' ? undefined : outcome);
    this.ack?.(payload);
  }
}
