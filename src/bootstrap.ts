import { ConsoleLogger, Logger, type LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { NextFunction, Request, Response } from 'express';
import type { AddressInfo } from 'node:net';
import { isatty } from 'node:tty';
import { AppModule } from './app.module.js';
import { notFound } from './common/domain-error.js';
import { jsonOnly } from './common/json-only.js';
import { PayloadPipe } from './common/payload.pipe.js';
import { ProblemFilter } from './common/problem.filter.js';
import type { Config } from './config/config.js';
import { waitForDatabase } from './database/connect.js';
import { startEmbeddedPostgres } from './database/embedded-postgres.js';
import { toDatabaseError } from './database/errors.js';
import type { DatabaseLog } from './database/log.js';
import { SocketAdapter } from './gateway/socket.adapter.js';
import { servePages } from './pages/pages.module.js';
import { ProviderRegistry } from './providers/provider-registry.js';

/** A running service. */
export interface Running {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string;
  /** Lines for the person who started it. */
  banner: string[];
  /** Ends everything in order. */
  close(): Promise<void>;
}

/** Starts the service. @throws {StartError} or {ConfigError} with a sentence for the person who started it. */
export async function startStreamgate(config: Config): Promise<Running> {
  const logger = createLogger(config);
  const log = databaseLog();
  const database = await openDatabase(config, log);
  try {
    const app = await NestFactory.create<NestExpressApplication>(
      AppModule.of({ config, databaseUrl: database.url, log }),
      { logger, bodyParser: false, abortOnError: false, forceCloseConnections: true },
    );
    const problems = configure(app, config);
    await app.init();
    answerTheRest(app, problems);
    await app.listen(config.PORT, config.HOST);
    const url = urlOf(app, config);
    const banner = bannerOf(url, config, {
      database: database.name,
      provider: app.get(ProviderRegistry).describe(),
    });
    const close = async (): Promise<void> => {
      await app.close();
      await database.stop();
    };
    return { url, banner, close };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

function configure(app: NestExpressApplication, config: Config): ProblemFilter {
  app.disable('x-powered-by');
  app.use(jsonOnly);
  app.useBodyParser('json', { limit: config.MAX_PAYLOAD_BYTES });
  app.useWebSocketAdapter(new SocketAdapter(app, config));
  app.setGlobalPrefix('api');
  const problems = new ProblemFilter(toDatabaseError);
  app.useGlobalFilters(problems);
  // For events as well: Nest runs global pipes in gateways, too.
  app.useGlobalPipes(new PayloadPipe());
  if (config.CORS_ORIGINS.length > 0) app.enableCors({ origin: config.CORS_ORIGINS, credentials: true });
  const document = new DocumentBuilder().setTitle('Streamgate').addBearerAuth().build();
  SwaggerModule.setup('api/docs', app, () => SwaggerModule.createDocument(app, document), {
    jsonDocumentUrl: 'api/docs-json',
  });
  servePages(app);
  return problems;
}

/** Beside the prefix Express answers by itself: with a page of its own, and with stack traces outside production. */
function answerTheRest(app: NestExpressApplication, problems: ProblemFilter): void {
  app.use((_request: Request, response: Response) => problems.answer(notFound(), response));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) =>
    problems.answer(error, response),
  );
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
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function bannerOf(url: string, config: Config, parts: { database: string; provider: string }): string[] {
  return [
    `Streamgate is ready: ${url}`,
    `  API docs   ${url}/api/docs`,
    `  Database   ${parts.database}`,
    `  Provider   ${parts.provider}`,
    `  Tokens     npm run token -- --sub alice${config.GUEST_ACCESS ? '   (guests are welcome)' : ''}`,
  ];
}

/** Without Nest's lines about its own wiring: they hide what a person wants to know at the start. */
class ServiceLogger extends ConsoleLogger {
  private static readonly WIRING = new Set([
    'InstanceLoader',
    'NestApplication',
    'WebSocketsController',
    'NestFactory',
    'RouterExplorer',
    'RoutesResolver',
  ]);

  override log(message: unknown, ...rest: unknown[]): void {
    if (!ServiceLogger.WIRING.has(String(rest.at(-1)))) super.log(message, ...(rest as [unknown]));
  }
}

const LEVELS: LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];
const LAST_LEVEL: Record<Config['LOG_LEVEL'], LogLevel | null> = {
  ...{ fatal: 'fatal', error: 'error', warn: 'warn', info: 'log', debug: 'debug', trace: 'verbose' },
  silent: null,
};

function createLogger(config: Config): ConsoleLogger {
  const last = LAST_LEVEL[config.LOG_LEVEL];
  const logLevels = last === null ? [] : LEVELS.slice(0, LEVELS.indexOf(last) + 1);
  const json = config.NODE_ENV === 'production';
  const logger = new ServiceLogger({
    prefix: 'Streamgate',
    logLevels,
    json,
    colors: !json && isatty(1),
  });
  Logger.overrideLogger(logger);
  return logger;
}

function databaseLog(): DatabaseLog {
  const logger = new Logger('Database');
  return {
    info: (message) => logger.log(message),
    warn: (message) => logger.warn(message),
    error: (message) => logger.error(message),
  };
}
