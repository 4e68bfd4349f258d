/** An error of the protocol (section 6), or `unreachable` where no answer came at all. */
export class Failure extends Error {
  constructor({ code = 'internal', message = '', retryable = false, retryAfterMs } = {}) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No connection, or no answer in time: it says nothing about what the server did, so it may be sent again. */
export function unreachable() {
  return new Failure({ code: 'unreachable', message: 'The server could not be reached.', retryable: true });
}

/** Why a transport was refused before the handshake: Socket.IO's `error` has the HTTP response of a polling request. */
export function refusedHandshake({ description: status, context }) {
  if (![401, 403, 429, 503].includes(status)) return unreachable();
  const problem = problemIn(context?.responseText);
  if (!problem) {
    const message = `A proxy refuses the connection (${status}).`;
    return status === 503 ? unreachable() : new Failure({ code: 'refused', message, retryable: true });
  }
  const code = { forbidden: 'origin', too_many_connections: 'overloaded' }[problem.code] ?? problem.code;
  return new Failure({ ...problem, code, message: problem.detail });
}

function problemIn(text) {
  try {
    const problem = JSON.parse(text);
    return problem?.code ? problem : null;
  } catch {
    return null;
  }
}

const TEXTS = {
  unauthenticated: 'The server did not accept your sign-in.',
  token_expired: 'Your sign-in has expired.',
  forbidden: 'This is not allowed for you.',
  not_found: 'Not found.',
  payload_too_large: 'This message is too long for the server. Shorten it and send it again.',
  rate_limited: 'That was a lot at once. It goes on in a moment.',
  too_many_streams: 'Too many answers are being written at once. Wait for one to end.',
  too_many_connections: 'You have too many windows open here. Close one and try again.',
  server_draining: 'The server is restarting.',
  provider_error: 'The model behind the assistant reported an error.',
  provider_unavailable: 'The model behind the assistant cannot be reached right now.',
  provider_timeout: 'The model behind the assistant took too long.',
  overloaded: 'The server is very busy. Try again in a moment.',
  internal: 'Something went wrong on the server.',
  timeout: 'The server took too long.',
};

/** What a person should read about `failure`. */
export function explain(failure) {
  return TEXTS[failure.code] ?? (failure.message || 'Something went wrong.');
}
