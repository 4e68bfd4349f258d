import type { NextFunction, Request, Response } from 'express';
import type { ServerResponse } from 'node:http';
import { beginSpan } from '../tracing/tracer.js';
import { within, Work, workOfCaller } from '../tracing/request-context.js';

const works = new WeakMap<ServerResponse, Work>();

/** Gives every request its piece of work, and its answer the id as `X-Request-Id`. */
export function correlate(request: Request, response: Response, next: NextFunction): void {
  const asked = workOfCaller(request.headers);
  const attributes = { 'http.request.method': request.method, 'url.path': request.path };
  const span = beginSpan(`HTTP ${request.method}`, { kind: 'server', work: asked, attributes });
  const work = span?.work ?? asked;
  response.once('close', () => {
    const { statusCode: status } = response;
    span?.end(status >= 500 ? String(status) : undefined, { 'http.response.status_code': status });
  });
  works.set(response, work);
  response.setHeader('X-Request-Id', work.id);
  within(work, next);
}

/** For what `response` is made. */
export function workOf(response: ServerResponse): Work {
  return works.get(response) ?? new Work();
}
