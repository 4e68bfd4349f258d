import { Inject, Injectable } from '@nestjs/common';
import { ServerResponse, STATUS_CODES, type IncomingMessage } from 'node:http';
import { DomainError, toDomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { originCheck } from '../../platform/http/origins.js';
import { toProblem } from '../../platform/http/problem.js';
import { Draining, serverDraining } from '../../platform/lifecycle/draining.js';
import { ClientAddresses } from '../../platform/limits/client-addresses.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import { RateLimits } from '../../platform/limits/rate-limits.js';
import { contextFromHeaders } from '../../platform/tracing/request-context.js';
import { invalid } from '../../platform/validation/payload.js';
import type { ErrorCode } from '../../protocol/index.js';
import type { EngineServer } from './engine.js';

/** When a client that was refused by a full server may try again, in milliseconds. */
const FULL_RETRY_MS = 5000;

/** Reasons of engine.io's refusals, by their number. */
const ENGINE_REFUSALS = [
  'transport must be polling or websocket',
  'there is no such session: connect again',
  'a session begins with GET',
  'the request does not fit its transport or its session',
] as const;

/** A request to engine.io. With a `sid` it belongs to a session; else it is a handshake. */
interface EngineRequest extends IncomingMessage {
  _query?: { sid?: string; EIO?: string };
}

/** Returns why a request is refused, or null. */
type AdmissionCheck = (request: EngineRequest) => DomainError | null | Promise<DomainError | null>;

/** Checks HTTP requests before engine.io handles them. */
@Injectable()
export class AdmissionChecks {
  private readonly countFull: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly draining: Draining,
    private readonly limits: RateLimits,
    private readonly addresses: ClientAddresses,
    metrics: LimitsMetrics,
  ) {
    this.countFull = metrics.refusalsOf('connections');
  }

  /** Returns the checks of requests to `engine`, in order. */
  for(engine: EngineServer): AdmissionCheck[] {
    return [
      originCheck(this.config.CORS_ORIGINS),
      (request) => (isHandshake(request) && this.draining.active ? serverDraining() : null),
      (request) => this.checkRate(request),
      (request) => checkProtocol(engine, request),
      (request) => (isHandshake(request) ? this.checkCapacity(engine) : null),
    ];
  }

  /** Limits an address's handshakes, and its other requests: those of long polling, and upgrades. */
  private async checkRate(request: EngineRequest): Promise<DomainError | null> {
    const { addressConnects, addressPolling } = this.limits;
    const limiter = isHandshake(request) ? addressConnects : addressPolling;
    const refusal = await limiter.tryConsume(this.addresses.keyOf(request));
    return refusal?.error ?? null;
  }

  /** Counts engine.io's connections, and so also those that never connect to the namespace. */
  private checkCapacity({ clientsCount }: EngineServer): DomainError | null {
    if (clientsCount < this.config.MAX_CONNECTIONS) return null;
    this.countFull();
    const message = 'The server is at its limit of connections. Try again later.';
    return new DomainError('too_many_connections', message, { retryAfterMs: FULL_RETRY_MS });
  }
}

/** Whether engine.io takes `request` for a handshake. An empty `sid` counts as none. */
function isHandshake({ _query }: EngineRequest): boolean {
  return !_query?.sid;
}

/** Refuses what engine.io itself would refuse with an empty 500, or with an error that protocol section 6 does not have. */
function checkProtocol(engine: EngineServer, request: EngineRequest): DomainError | null {
  const { method, headers, _query } = request;
  if (method !== 'GET' && method !== 'POST')
    return invalid(['a connection is made and used by GET and POST']);
  let refusal: DomainError | null = null;
  engine.verify(request, headers.upgrade !== undefined, (code) => {
    if (code !== undefined) refusal = invalid([ENGINE_REFUSALS[code] ?? ENGINE_REFUSALS[3]]);
  });
  // engine.io itself reads EIO only later.
  return refusal ?? (_query?.EIO === '4' ? null : invalid(['EIO must be 4, as Socket.IO 3 and 4 send it']));
}

/**
 * Returns engine.io middleware that runs `checks` in order and sends the first refusal as an HTTP status with a problem
 * body (protocol section 6), after which an unmodified client retries by itself (protocol section 4). engine.io's own
 * `allowRequest` has one status only. `onRefused` is called with the code of each refusal.
 */
export function admission(checks: readonly AdmissionCheck[], onRefused: (code: ErrorCode) => void) {
  return (request: EngineRequest, response: ServerResponse, next: () => void): void => {
    firstRefusal(checks, request)
      .catch((error: unknown) => toDomainError(error))
      .then((refusal) => {
        if (!refusal) {
          next();
          forgetRequest(response);
          return;
        }
        onRefused(refusal.code);
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
    const result = check(request);
    const refusal = result instanceof Promise ? await result : result;
    if (refusal) return refusal;
  }
  return null;
}

/** Removes the request from engine.io's substitute for the response of an upgrade, which lives as long as the connection. */
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
  // The socket has no other error listener now, and an unhandled error would end the process.
  request.socket.on('error', () => request.socket.destroy());
  // engine.io's substitute for the response of an upgrade writes nothing.
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n`;
  request.socket.end(`${status}${lines.join('')}\r\n${body}`);
}
