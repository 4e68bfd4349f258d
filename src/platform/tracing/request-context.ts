import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A piece of work as it is named elsewhere: with a stored answer, and to the provider. */
export interface ContextIds {
  /** Its correlation id: 1 to 64 of `A-Za-z0-9._-`. */
  id: string;
  /** Where in a trace it is (W3C Trace Context, level 1). */
  traceparent: string;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-((?!0{16})[\da-f]{16})-([\da-f]{2})$/;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
const TRACE_ID = /^(?!0{32})[\da-f]{32}$/;

/** What one event, request or handshake makes the service do: one correlation id for all of it (protocol section 6). Names itself when asked. */
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

  /** Without a caller's trace, one of its own, to be recorded by whoever it reaches. */
  get traceparent(): string {
    return (this.knownTraceparent ??= `00-${traceIdOf(this.id)}-${randomBytes(8).toString('hex')}-01`);
  }

  /** Whether a caller's trace, or a span of ours, is above it. */
  get isTraced(): boolean {
    return this.knownTraceparent !== undefined;
  }

  /** The same piece of work, under the span `traceparent`. */
  under(traceparent: string): RequestContext {
    return new RequestContext({ id: this.id, traceparent });
  }

  get name(): ContextIds {
    return { id: this.id, traceparent: this.traceparent };
  }
}

/** The work that a caller names by `traceparent` or, without, by `x-request-id`; new work where neither is well-formed. */
export function contextFromHeaders(headers: IncomingHttpHeaders): RequestContext {
  const { traceparent, 'x-request-id': requestId } = headers;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(String(traceparent)) ?? [];
  if (traceId) return new RequestContext({ id: traceId, traceparent: `00-${traceId}-${spanId}-${flags}` });
  return new RequestContext(
    typeof requestId === 'string' && REQUEST_ID.test(requestId) ? { id: requestId } : {},
  );
}

/** The trace of the work `id`: the id itself where it can be one (a UUID without its dashes), else made from it. */
export function traceIdOf(id: string): string {
  const hex = id.replaceAll('-', '').toLowerCase();
  return TRACE_ID.test(hex) ? hex : createHash('sha256').update(id).digest('hex').slice(0, 32);
}

const storage = new AsyncLocalStorage<RequestContext>();
let isTracking = false;

/**
 * From now on {@link currentContext} knows for what the code runs. It costs every promise of the process something, so it is
 * for a detailed log; what always needs the id is given it.
 */
export function enableContextTracking(): void {
  isTracking = true;
}

/** Does `act` for `work`. */
export function runInContext<T>(context: RequestContext, act: () => T): T {
  return isTracking ? storage.run(context, act) : act();
}

/** For what this code runs; undefined where it is for nobody in particular, or work is not followed. */
export function currentContext(): RequestContext | undefined {
  return storage.getStore();
}
