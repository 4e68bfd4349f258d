import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { Counter, Histogram } from 'prom-client';
import { MetricsRegistry } from './registry.js';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];

/** Counts HTTP requests by their route's pattern: never by path, which anybody can make up. */
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
      'From a request to the end of its response, which for an answer is that of the answer.',
      { labelNames: ['route'], buckets: SECONDS },
    );
  }

  /** Express middleware, to stand before all others. */
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

/** Pattern of the route that took the request; `other` for pages, their files, and what does not exist. */
function routeOf({ route }: Request): string {
  const { path } = (route ?? {}) as { path?: unknown };
  // Nest's own for what matches nothing begin with an asterisk.
  return typeof path === 'string' && path.startsWith('/') ? path : 'other';
}

function methodOf({ method }: Request): string {
  return METHODS.has(method) ? method : 'other';
}

/** Such as `2xx`; `aborted` where the client left before an answer. */
function statusOf({ statusCode, headersSent }: Response): string {
  return headersSent ? `${Math.floor(statusCode / 100)}xx` : 'aborted';
}
