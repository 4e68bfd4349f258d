import { toDomainError } from '../../common/domain-error.js';
import type { RequestContext } from './request-context.js';

/** Start of a span. Attributes never contain message text. */
export interface SpanStart {
  kind: 'server' | 'client' | 'internal';
  /** The request it belongs to. The span is a child of the context's span; without one it begins the trace. */
  context: RequestContext;
  attributes?: Record<string, string | number>;
}

/** A timed part of a request. */
export interface Span {
  /** The same request, with this span as the parent. */
  readonly context: RequestContext;
  /** @param fault the error code where it failed. */
  end(fault?: string, attributes?: SpanStart['attributes']): void;
}

/** Begins spans; implemented for OpenTelemetry. */
export interface Tracer {
  begin(name: string, start: SpanStart): Span;
}

let tracer: Tracer | undefined;

/** Sends spans to `given` from now on; undefined: nowhere. */
export function useTracer(given: Tracer | undefined): void {
  tracer = given;
}

/** Begins a span. Returns undefined where tracing is off, which costs nothing. */
export function beginSpan(name: string, start: SpanStart): Span | undefined {
  return tracer?.begin(name, start);
}

/** Runs `act` within a span where tracing is on. */
export async function inSpan<T>(
  name: string,
  start: SpanStart,
  act: (context: RequestContext) => Promise<T>,
): Promise<T> {
  const span = beginSpan(name, start);
  try {
    const result = await act(span?.context ?? start.context);
    span?.end();
    return result;
  } catch (error) {
    span?.end(toDomainError(error).code);
    throw error;
  }
}
