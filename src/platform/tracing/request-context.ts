import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** The ids of a request context, as stored with an answer and sent to the provider. */
export interface ContextIds {
  /** Correlation id: 1 to 64 of `A-Za-z0-9._-`. */
  id: string;
  /** Position in a trace (W3C Trace Context, level 1). */
  traceparent: string;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-((?!0{16})[\da-f]{16})-([\da-f]{2})$/;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
const TRACE_ID = /^(?!0{32})[\da-f]{32}$/;

/**
 * The context of one event, request or handshake: all its work has one correlation id (protocol section 6). The id is
 * created when it is first read.
 */
export class RequestContext implements ContextIds {
  private knownId: string | undefined;
  private knownTraceparent: string | undefined;

  constructor(ids: Partial<ContextIds> = {}) {
    this.knownId = ids.id;
    this.knownTraceparent = ids.traceparent;
  }

  get id(): string {
    return (this.knownId ??= randomBytes(16).toString('hex'));
  }

  /** Without a caller's trace, a new one that receivers may record. */
  get traceparent(): string {
    return (this.knownTraceparent ??= `00-${traceIdOf(this.id)}-${randomBytes(8).toString('hex')}-01`);
  }

  /** Whether the caller sent a trace, or a span of ours is the parent. */
  get isTraced(): boolean {
    return this.knownTraceparent !== undefined;
  }

  /** Returns the same context with `traceparent` as the parent span. */
  under(traceparent: string): RequestContext {
    return new RequestContext({ id: this.id, traceparent });
  }

  get name(): ContextIds {
    return { id: this.id, traceparent: this.traceparent };
  }
}

/**
 * Returns the context that a caller names by `traceparent`, or else by `x-request-id`. Returns a new one if neither is
 * well-formed.
 */
export function contextFromHeaders(headers: IncomingHttpHeaders): RequestContext {
  const { traceparent, 'x-request-id': requestId } = headers;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(String(traceparent)) ?? [];
  if (traceId) return new RequestContext({ id: traceId, traceparent: `00-${traceId}-${spanId}-${flags}` });
  return new RequestContext(
    typeof requestId === 'string' && REQUEST_ID.test(requestId) ? { id: requestId } : {},
  );
}

/**
 * Returns the trace id of a correlation id: the id itself if it can be one (a UUID without dashes), else an id derived
 * from it.
 */
export function traceIdOf(id: string): string {
  const hex = id.replaceAll('-', '').toLowerCase();
  return TRACE_ID.test(hex) ? hex : createHash('sha256').update(id).digest('hex').slice(0, 32);
}

const storage = new AsyncLocalStorage<RequestContext>();
let isTracking = false;

/**
 * Makes {@link currentContext} work from now on. It costs time for every promise of the process, so only detailed logs
 * enable it. Code that always needs the id gets it as an argument.
 */
export function enableContextTracking(): void {
  isTracking = true;
}

/** Runs `act` in the context. */
export function runInContext<T>(context: RequestContext, act: () => T): T {
  return isTracking ? storage.run(context, act) : act();
}

/** Returns the context in which this code runs; undefined outside a request, or while tracking is off. */
export function currentContext(): RequestContext | undefined {
  return storage.getStore();
}
