import { ERROR_RULES, type ErrorCode, type WireError } from '../protocol/index.js';

/** When to retry after `overloaded`, in milliseconds. A full queue takes a few seconds to work off. */
const OVERLOAD_RETRY_MS = 1000;

interface DomainErrorOptions {
  /** Overrides the rule of the code. */
  retryable?: boolean;
  retryAfterMs?: number;
  /** Safe to show to the client. */
  details?: Record<string, unknown>;
  /** The underlying error: for the log, never for the wire. */
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

  /** Returns the error in its wire form. */
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

/** Returns the error for a resource that does not exist or that the user may not see: both look the same (P10). */
export function notFound(): DomainError {
  return new DomainError('not_found', 'Not found.');
}

/** Returns the error for work that is refused because too much is waiting already (P7). The work was not started. */
export function overloaded(): DomainError {
  return new DomainError('overloaded', 'The server is overloaded. Try again in a moment.', {
    retryAfterMs: OVERLOAD_RETRY_MS,
  });
}

/**
 * Returns `error` if it is a {@link DomainError}. Otherwise returns `internal`, with the original as its cause and none
 * of it on the wire (P11).
 */
export function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('internal', 'The server failed. Try again.', { cause: error });
}
