/** What a client may do after an error (protocol section 6). */
interface ErrorRule {
  /** HTTP status of the code's problem body; 0 for codes that only close a connection. */
  readonly httpStatus: number;
  /** Whether the same request may succeed when it is sent again later. */
  readonly retryable: boolean;
}

/** Every error code on the wire, with its rule (protocol section 6). */
export const ERROR_RULES = {
  invalid_payload: { httpStatus: 400, retryable: false },
  unauthenticated: { httpStatus: 401, retryable: false },
  token_expired: { httpStatus: 401, retryable: false },
  forbidden: { httpStatus: 403, retryable: false },
  not_found: { httpStatus: 404, retryable: false },
  conflict: { httpStatus: 409, retryable: false },
  stream_ended: { httpStatus: 409, retryable: false },
  stream_expired: { httpStatus: 410, retryable: false },
  payload_too_large: { httpStatus: 413, retryable: false },
  rate_limited: { httpStatus: 429, retryable: true },
  too_many_streams: { httpStatus: 429, retryable: true },
  internal: { httpStatus: 500, retryable: true },
  provider_error: { httpStatus: 502, retryable: true },
  too_many_connections: { httpStatus: 503, retryable: true },
  server_draining: { httpStatus: 503, retryable: true },
  provider_unavailable: { httpStatus: 503, retryable: true },
  overloaded: { httpStatus: 503, retryable: true },
  timeout: { httpStatus: 503, retryable: true },
  provider_timeout: { httpStatus: 504, retryable: true },
  slow_consumer: { httpStatus: 0, retryable: true },
  idle_timeout: { httpStatus: 0, retryable: true },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERROR_RULES;

/** The form of an error on every transport (protocol section 6). */
export interface WireError {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  /** Milliseconds to wait before the next try. */
  retryAfterMs?: number;
  details?: Record<string, unknown>;
  correlationId: string;
}

/** The HTTP form of a {@link WireError}: a problem body of RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  retryable: boolean;
  retryAfterMs?: number;
  details?: Record<string, unknown>;
  correlationId: string;
}
