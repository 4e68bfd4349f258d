import { DomainError } from '../../common/domain-error.js';
import type { Span } from '../../platform/tracing/tracer.js';
import { RequestContext } from '../../platform/tracing/request-context.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import { LIMITS, type ErrorCode, type WireError } from '../../protocol/index.js';

/** The callback that the client gave. Socket.IO sends its argument. */
export type AckCallback = (ack: object) => void;

/** Hears of an answer. */
export interface AckObserver {
  failed: (event: string, error: DomainError, correlationId: string) => void;
  settled: (outcome: 'ok' | ErrorCode) => void;
  span?: Span | undefined;
}

/** The acknowledgement of one event: called exactly once, on success, refusal and time-out alike (protocol section 4). */
export class Ack {
  /** What the event makes the service do. */
  readonly context: RequestContext;
  private readonly timer: NodeJS.Timeout;
  private done = false;

  /** @param ack the client's callback; undefined where it gave none: then only faults are noticed. */
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

  succeed(answer: object): void {
    this.settle({ ok: true, ...answer }, 'ok');
  }

  fail(error: unknown): void {
    if (this.done) return;
    const fault = toDatabaseError(error);
    this.observer.failed(this.event, fault, this.context.id);
    this.settle({ ok: false, error: fault.toWire(this.context.id) satisfies WireError }, fault.code);
  }

  private settle(answer: object, outcome: 'ok' | ErrorCode): void {
    if (this.done) return;
    this.done = true;
    clearTimeout(this.timer);
    this.observer.settled(outcome);
    this.observer.span?.end(outcome === 'ok' ? undefined : outcome);
    this.ack?.(answer);
  }
}
