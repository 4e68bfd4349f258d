import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { Counter, Histogram } from 'prom-client';
import { MetricsRegistry } from './registry.js';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];

/** Counts HTTP requests by route pattern, never by path, because clients can invent paths. */
@Injectable()
export class HttpMetrics {
  private readonly requests: Counter<'method' | 'route' | 'status'>;
  private readonly seconds: Histogram<'route'>;

  constructor(registry: MetricsRegistry) {
    this.requests = registry.counter('streamgate_http_requests_total', 'HTTP requests that have ended.', [
      ...(['method', 'route', 'status'] as const),
    ]);
    this.seconds = registry.histogram(
      'streamgate_http_request_duration_seconds',
      'Time from a request to the end of its response; for a streamed answer, to the end of the answer.',
      { labelNames: ['route'], buckets: SECONDS },
    );
  }

  /** Express middleware. Must run before all others. */
  readonly use = (request: Request, response: Response, next: NextFunction): void => {
    const startedAt = performance.now();
    response.once('close', () => {
      const route = routeOf(request);
      this.requests.inc({ method: methodOf(request), route, status: statusOf(response) });
      this.seconds.observe({ route }, (performance.now() - startedAt) / 1000);
    });
    next();
  };
}

/** Returns the pattern of the request's route; `other` for pages, their files, and unknown paths. */
function routeOf({ route }: Request): string {
  const { path } = (route ?? {}) as { path?: unknown };
  // Nest's own route for unmatched paths begins with an asterisk.
  return typeof path === 'string' && path.startsWith('/') ? path : 'other';
}

function methodOf({ method }: Request): string {
  return METHODS.has(method) ? method : 'other';
}

/** Returns the status class, such as `2xx`; `aborted` if the client disconnected before a response. */
function statusOf({ statusCode, headersSent }: Response): string {
  return headersSent ? `${Math.floor(statusCode / 100)}xx` : 'aborted';
}
