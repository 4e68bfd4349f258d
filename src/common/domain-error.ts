import { ERROR_RULES, type ErrorCode, type WireError } from '../protocol/index.js';

/** When to retry after `overloaded`, in milliseconds: a full queue is worked off in a few seconds. */
const OVERLOAD_RETRY_MS = 1000;

interface DomainErrorOptions {
  /** Overrides the code's own rule. */
  retryable?: boolean;
  retryAfterMs?: number;
  /** Safe to show to the client. */
  details?: Record<string, unknown>;
  /** What went wrong underneath: for the log, never for the wire. */
  cause?: unknown;
}

/** The one error that services throw; edges translate it once (protocol section 6). Its message is safe to show. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: DomainErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable ?? ERROR_RULES[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }

  /** This error as it goes over the wire. */
  toWire(correlationId: string): WireError {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      ...(this.retryAfterMs !== undefined && { retryAfterMs: this.retryAfterMs }),
      ...(this.details !== undefined && { details: this.details }),
      correlationId,
    };
  }
}

/** What is not there and what is not yours get the same answer (P10). */
export function notFound(): DomainError {
  return new DomainError('not_found', 'There is nothing here, or it is not yours to see.');
}

/** More work is waiting than there may be (P7): refused at once, and nothing was done. */
export function overloaded(): DomainError {
  return new DomainError(
    'overloaded',
    'The server has more to store than it can keep up with. Try again in a moment.',
    { retryAfterMs: OVERLOAD_RETRY_MS },
  );
}

/** `error` if it is a {@link DomainError}; otherwise `internal`, with the original as its cause and nothing of it on the wire (P11). */
export function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('internal', 'Something failed on the server. Try again.', { cause: error });
}
