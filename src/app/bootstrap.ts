import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { AppModule } from './app.module.js';
import { serveDocs } from './docs.js';
import { leave, refuseWhileLeaving } from './shutdown.js';
import type { Settings } from './settings.js';
import { notFound } from '../common/domain-error.js';
import { correlate } from '../platform/http/request-context.middleware.js';
import { jsonOnly } from '../platform/http/json-only.js';
import { NodeIdentity } from '../common/node-identity.js';
import { PayloadPipe } from '../platform/validation/payload.pipe.js';
import { ProblemFilter } from '../platform/http/problem.filter.js';
import type { Config } from '../platform/config/config.js';
import { StartError } from '../platform/database/start-error.js';
import { waitForDatabase } from '../platform/database/connect.js';
import { startEmbeddedPostgres } from '../platform/database/embedded-postgres.js';
import { toDatabaseError } from '../platform/database/errors.js';
import type { DatabaseLog } from '../platform/database/log.js';
import { SocketAdapter } from '../gateway/engine/socket.adapter.js';
import { Acceptors } from '../platform/http/acceptors.js';
import { guardListener } from '../platform/http/listener-guard.js';
import { securityHeaders } from '../platform/http/security-headers.js';
import { renewTls } from '../platform/http/tls.js';
import { Draining } from '../platform/lifecycle/draining.js';
import { HttpLimits } from '../platform/limits/http-limits.js';
import { accessLog } from '../platform/logging/access-log.js';
import { startLogging } from '../platform/logging/logging.js';
import { HttpMetrics } from '../platform/metrics/http-metrics.js';
import { MetricsListener } from '../operations/metrics/metrics-listener.js';
import { METRICS_PATH } from '../operations/metrics/metrics.controller.js';
import { servePages } from '../operations/pages.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import { startTracing } from '../platform/tracing/start-tracing.js';

/** What pages of other origins may read of an answer, beside what every page may (Fetch, 3.2.5). */
const EXPOSED_HEADERS = ['X-Stream-Id', 'X-Request-Id', 'Retry-After'];

/** A running service. */
export interface Running {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string;
  /** Tells the person who started it that it is ready, and where. */
  announce(): void;
  /** Ends everything in order (P12). @throws with a sentence that names what did not end within `SHUTDOWN_GRACE_MS`. */
  close(): Promise<void>;
}

/** Starts the service. @throws {StartError} with a sentence for the person who started it. */
export async function startStreamgate({ config, keys, tls }: Settings): Promise<Running> {
  const logging = await startLogging(config);
  const log = databaseLog();
  const database = await openDatabase(config, log);
  try {
    const app = await NestFactory.create<NestExpressApplication>(
      AppModule.of({ config, keys, databaseUrl: database.url, log }),
      {
        ...{ logger: logging.logger, bodyParser: false, abortOnError: false, forceCloseConnections: true },
        ...(tls && { httpsOptions: tls }),
      },
    );
    const nodeId = app.get(NodeIdentity).id;
    logging.identify(nodeId);
    const stopTracing = await startTracing(config, nodeId);
    const acceptors = await listen(app, config);
    const url = urlOf(app, config);
    const banner = bannerOf(url, config, {
      database: database.name,
      provider: app.get(ProviderRegistry).describe(),
      metrics: app.get(MetricsListener).url ?? `${url}/${METRICS_PATH}`,
    });
    return {
      url,
      announce: () => logging.announce(banner, { url }),
      close: () => {
        acceptors.close();
        return leave(app, async () => {
          await stopTracing();
          await database.stop();
        });
      },
    };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

async function listen(app: NestExpressApplication, config: Config): Promise<Acceptors> {
  const problems = configure(app, config);
  await app.init();
  answerTheRest(app, problems);
  const server = app.getHttpServer() as HttpServer | TlsServer;
  guardListener(server);
  if ('setSecureContext' in server) renewTls(server, config);
  await app.listen(config.PORT, config.HOST).catch((error: unknown) => {
    throw listenFault(error, config);
  });
  const acceptors = new Acceptors(server);
  void acceptors.open();
  return acceptors;
}

function configure(app: NestExpressApplication, config: Config): ProblemFilter {
  const problems = new ProblemFilter(toDatabaseError);
  app.disable('x-powered-by');
  const leaving = refuseWhileLeaving(app.get(Draining), problems);
  const headers = securityHeaders({ tls: config.TLS_CERT_FILE !== undefined });
  app.use(correlate, app.get(HttpMetrics).use, accessLog, headers, leaving);
  app.use(app.get(HttpLimits).limitAddress, jsonOnly);
  app.useBodyParser('json', { limit: config.MAX_PAYLOAD_BYTES });
  app.useWebSocketAdapter(new SocketAdapter(app, config));
  app.setGlobalPrefix('api', { exclude: [METRICS_PATH] });
  app.useGlobalFilters(problems);
  // For events as well: Nest runs global pipes in gateways, too.
  app.useGlobalPipes(new PayloadPipe());
  if (config.CORS_ORIGINS.length > 0) {
    app.enableCors({ origin: config.CORS_ORIGINS, credentials: true, exposedHeaders: EXPOSED_HEADERS });
  }
  serveDocs(app);
  servePages(app);
  return problems;
}

/** Beside the prefix Express answers by itself: with a page of its own, and with stack traces outside production. */
function answerTheRest(app: NestExpressApplication, problems: ProblemFilter): void {
  app.use((_request: Request, response: Response) => problems.respond(notFound(), response));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) =>
    problems.respond(error, response),
  );
}

/** What to do about it, where that is known. */
function listenFault(error: unknown, { HOST, PORT }: Config): Error {
  const { code } = error as NodeJS.ErrnoException;
  const advice: Record<string, string> = {
    EADDRINUSE: `PORT ${PORT} is in use: another program listens there, often an earlier start. Stop it, or set another PORT.`,
    EACCES: `PORT ${PORT} is not for ordinary users: set one of 1024 or more.`,
    EADDRNOTAVAIL: `HOST ${HOST} is no address of this machine.`,
    ENOTFOUND: `HOST ${HOST} is no address and no name that is known.`,
  };
  return new StartError(advice[code ?? ''] ?? (error as Error).message, { cause: error });
}

async function openDatabase(config: Config, log: DatabaseLog) {
  if (config.DATABASE_URL === undefined) {
    const embedded = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log });
    return {
      url: embedded.url,
      name: `embedded PostgreSQL in ${config.DATA_DIR}`,
      stop: () => embedded.stop(),
    };
  }
  await waitForDatabase({ url: config.DATABASE_URL, log });
  const { host, pathname } = new URL(config.DATABASE_URL);
  return {
    url: config.DATABASE_URL,
    name: `PostgreSQL at ${host}${pathname}`,
    stop: () => Promise.resolve(),
  };
}

function urlOf(app: NestExpressApplication, config: Config): string {
  const { port } = app.getHttpServer().address() as AddressInfo;
  const host = ['0.0.0.0', '::'].includes(config.HOST) ? 'localhost' : config.HOST;
  const scheme = config.TLS_CERT_FILE === undefined ? 'http' : 'https';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function bannerOf(
  url: string,
  config: Config,
  parts: { database: string; provider: string; metrics: string },
): string[] {
  return [
    `Streamgate is ready: ${url}`,
    `  API docs   ${url}/api/docs`,
    `  Metrics    ${parts.metrics}`,
    `  Database   ${parts.database}`,
    `  Provider   ${parts.provider}`,
    `  Tokens     npm run -s token -- --sub alice${config.GUEST_ACCESS ? '   (guests are welcome)' : ''}`,
  ];
}

function databaseLog(): DatabaseLog {
  const logger = new Logger('Database');
  return {
    info: (message) => logger.log(message),
    warn: (message) => logger.warn(message),
    error: (message) => logger.error(message),
  };
}
