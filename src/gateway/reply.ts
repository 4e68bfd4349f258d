import { DomainError } from '../common/domain-error.js';
import { randomText } from '../common/ids.js';
import { toDatabaseError } from '../database/errors.js';
import { LIMITS, type WireError } from '../protocol/index.js';

type AckCallback = (answer: object) => void;
type FaultLog = (event: string, error: DomainError, correlationId: string) => void;

/** The acknowledgement of one event: called exactly once, on success, refusal and time-out alike (protocol section 4). */
export class Reply {
  private readonly timer: NodeJS.Timeout;
  private done = false;

  /** @param ack the client's callback; undefined where it gave none: then only faults are noticed. */
  constructor(
    private readonly event: string,
    private readonly ack: AckCallback | undefined,
    private readonly onFault: FaultLog,
  ) {
    this.timer = setTimeout(() => {
      this.fail(new DomainError('timeout', 'The request took too long. Send it again.'));
    }, LIMITS.requestTimeoutMs);
  }

  succeed(answer: object): void {
    this.settle({ ok: true, ...answer });
  }

  fail(error: unknown): void {
    if (this.done) return;
    const fault = toDatabaseError(error);
    const correlationId = randomText(12);
    this.onFault(this.event, fault, correlationId);
    this.settle({ ok: false, error: fault.toWire(correlationId) satisfies WireError });
  }

  private settle(answer: object): void {
    if (this.done) return;
    this.done = true;
    clearTimeout(this.timer);
    this.ack?.(answer);
  }
}
