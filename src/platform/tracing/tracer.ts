import { toDomainError } from '../../common/domain-error.js';
import type { RequestContext } from './request-context.js';

/** How a span is begun. Attributes never hold contents. */
export interface SpanStart {
  kind: 'server' | 'client' | 'internal';
  /** What it is done for: the span lies below where the work is, else it begins the work's trace. */
  context: RequestContext;
  attributes?: Record<string, string | number>;
}

/** A part of a piece of work that takes time. */
export interface Span {
  /** The same work, below this span. */
  readonly context: RequestContext;
  /** @param fault a code, where it failed. */
  end(fault?: string, attributes?: SpanStart['attributes']): void;
}

export interface Tracer {
  begin(name: string, start: SpanStart): Span;
}

let tracer: Tracer | undefined;

/** From now on spans go to `given`; undefined: nowhere. */
export function useTracer(given: Tracer | undefined): void {
  tracer = given;
}

/** Undefined where nothing is traced: that costs nothing. */
export function beginSpan(name: string, start: SpanStart): Span | undefined {
  return tracer?.begin(name, start);
}

/** Does `act` within a span, if anything is traced. */
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
