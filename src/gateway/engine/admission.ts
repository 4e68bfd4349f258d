import { ServerResponse, STATUS_CODES, type IncomingMessage } from 'node:http';
import { toDomainError, type DomainError } from '../../common/domain-error.js';
import { toProblem } from '../../platform/http/problem.js';
import { contextFromHeaders } from '../../platform/tracing/request-context.js';
import type { ErrorCode } from '../../protocol/index.js';

/** A request to engine.io: of a connection that exists where it has a `sid`, else a handshake ({@link isHandshake}). */
export interface EngineRequest extends IncomingMessage {
  _query?: { sid?: string; EIO?: string };
}

/** Answers why a request must not pass, or null. */
export type AdmissionCheck = (request: EngineRequest) => DomainError | null | Promise<DomainError | null>;

/** The checks of handshakes only. */
export function forHandshakes(check: AdmissionCheck): AdmissionCheck {
  return (request) => (isHandshake(request) ? check(request) : null);
}

/** Whether engine.io will take `request` for a handshake: so it does where the `sid` is there and empty, too. */
export function isHandshake({ _query }: EngineRequest): boolean {
  return !_query?.sid;
}

/**
 * engine.io middleware that asks `checks` one after the other, and answers the first refusal with an HTTP status and a
 * problem body (protocol section 6): an unmodified client then comes back by itself (protocol section 4). engine.io's own
 * `allowRequest` knows one status only. Each refusal is told to `refused`.
 */
export function admission(checks: readonly AdmissionCheck[], refused: (code: ErrorCode) => void) {
  return (request: EngineRequest, response: ServerResponse, next: () => void): void => {
    firstRefusal(checks, request)
      .catch((error: unknown) => toDomainError(error))
      .then((refusal) => {
        if (!refusal) {
          next();
          forgetRequest(response);
          return;
        }
        refused(refusal.code);
        refuse(request, response, refusal);
      })
      .catch(() => request.socket.destroy());
  };
}

async function firstRefusal(
  checks: readonly AdmissionCheck[],
  request: EngineRequest,
): Promise<DomainError | null> {
  for (const check of checks) {
    const answer = check(request);
    const refusal = answer instanceof Promise ? await answer : answer;
    if (refusal) return refusal;
  }
  return null;
}

/** engine.io's stand-in for the response of an upgrade lives as long as the connection, and its request would with it. */
function forgetRequest(response: ServerResponse): void {
  if (!(response instanceof ServerResponse)) Object.assign(response, { req: undefined });
}

function refuse(request: EngineRequest, response: ServerResponse, error: DomainError): void {
  const { id } = contextFromHeaders(request.headers);
  const problem = toProblem(error, id);
  const body = JSON.stringify(problem);
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'X-Request-Id': id,
    ...(error.retryAfterMs !== undefined && { 'Retry-After': Math.ceil(error.retryAfterMs / 1000) }),
    Connection: 'close',
  };
  if (request.headers.upgrade === undefined) {
    response.writeHead(problem.status, headers).end(body);
    return;
  }
  // Nobody else listens to this socket any more: its error would end the process.
  request.socket.on('error', () => request.socket.destroy());
  // An upgrade has no response: engine.io's stand-in for one writes nothing.
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n`;
  request.socket.end(`${status}${lines.join('')}\r\n${body}`);
}
