import type { NextFunction, Request, Response } from 'express';
import type { ServerResponse } from 'node:http';
import { beginSpan } from '../tracing/tracer.js';
import { runInContext, RequestContext, contextFromHeaders } from '../tracing/request-context.js';

const contexts = new WeakMap<ServerResponse, RequestContext>();

/** Gives every request its context, and the response the context's id as `X-Request-Id`. */
export function correlate(request: Request, response: Response, next: NextFunction): void {
  const callerContext = contextFromHeaders(request.headers);
  const attributes = { 'http.request.method': request.method, 'url.path': request.path };
  const span = beginSpan(`HTTP ${request.method}`, { kind: 'server', context: callerContext, attributes });
  const context = span?.context ?? callerContext;
  response.once('close', () => {
    const { statusCode: status } = response;
    span?.end(status >= 500 ? String(status) : undefined, { 'http.response.status_code': status });
  });
  contexts.set(response, context);
  response.setHeader('X-Request-Id', context.id);
  runInContext(context, next);
}

/** Returns the context of the request that `response` belongs to. */
export function contextOf(response: ServerResponse): RequestContext {
  return contexts.get(response) ?? new RequestContext();
}
