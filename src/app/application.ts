import { NestFactory } from '@nestjs/core';
import type { NestApplicationOptions } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { AppModule, type AppOptions } from './app.module.js';
import { serveDocs } from './docs.js';
import { refuseWhileDraining } from './shutdown.js';
import { notFound } from '../common/domain-error.js';
import { METRICS_PATH } from '../operations/metrics/metrics.controller.js';
import { servePages } from '../operations/pages.js';
import type { Config } from '../platform/config/config.js';
import { causeOf, toDatabaseError } from '../platform/database/errors.js';
import { correlate } from '../platform/http/request-context.middleware.js';
import { jsonOnly } from '../platform/http/json-only.js';
import { ProblemFilter } from '../platform/http/problem.filter.js';
import { securityHeaders } from '../platform/http/security-headers.js';
import { Draining } from '../platform/lifecycle/draining.js';
import { HttpLimits } from '../platform/limits/http-limits.js';
import { accessLog } from '../platform/logging/access-log.js';
import { HttpMetrics } from '../platform/metrics/http-metrics.js';
import { PayloadPipe } from '../platform/validation/payload.pipe.js';

/** Response headers that pages of other origins may read, besides those that every page may (Fetch, 3.2.5). */
const EXPOSED_HEADERS = ['X-Stream-Id', 'X-Request-Id', 'Retry-After'];

/** Creates the application. It is not configured yet: see {@link configure}. */
export function createApplication(
  parts: AppOptions,
  options: Pick<NestApplicationOptions, 'logger' | 'httpsOptions'>,
): Promise<NestExpressApplication> {
  return NestFactory.create<NestExpressApplication>(AppModule.of(parts), {
    ...options,
    // The parser runs after the limits.
    bodyParser: false,
    abortOnError: false,
    forceCloseConnections: true,
  });
}

/**
 * Adds everything that is not in a module, from the first middleware to the last error handler, and initializes the
 * application. Requests pass through it in the order of these lines.
 */
export async function configure(app: NestExpressApplication, config: Config): Promise<void> {
  const problems = new ProblemFilter(toDatabaseError, causeOf);
  app.disable('x-powered-by');
  const draining = refuseWhileDraining(app.get(Draining), problems);
  const headers = securityHeaders({ tls: config.TLS_CERT_FILE !== undefined });
  app.use(correlate, app.get(HttpMetrics).use, accessLog, headers, draining);
  app.use(app.get(HttpLimits).limitAddress, jsonOnly);
  app.useBodyParser('json', { limit: config.MAX_PAYLOAD_BYTES });
  app.setGlobalPrefix('api', { exclude: [METRICS_PATH] });
  app.useGlobalFilters(problems);
  app.useGlobalPipes(new PayloadPipe());
  if (config.CORS_ORIGINS.length > 0) {
    app.enableCors({ origin: config.CORS_ORIGINS, credentials: true, exposedHeaders: EXPOSED_HEADERS });
  }
  serveDocs(app);
  servePages(app);
  await app.init();
  respondToOtherPaths(app, problems);
}

/** Responds to paths outside the prefix. Express would send a page of its own, with stack traces outside production. */
function respondToOtherPaths(app: NestExpressApplication, problems: ProblemFilter): void {
  app.use((_request: Request, response: Response) => problems.respond(notFound(), response));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) =>
    problems.respond(error, response),
  );
}
