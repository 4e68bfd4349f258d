import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { configure, createApplication } from './application.js';
import { leave } from './shutdown.js';
import type { Settings } from './settings.js';
import { NodeIdentity } from '../common/ids.js';
import { withTimeout } from '../common/deadline.js';
import type { Config } from '../platform/config/config.js';
import { StartError } from '../platform/database/start-error.js';
import { waitForDatabase } from '../platform/database/connect.js';
import { startEmbeddedPostgres } from '../platform/database/embedded-postgres.js';
import type { DatabaseLog } from '../platform/database/log.js';
import { misspeltVariables } from '../platform/config/environment.js';
import { Acceptors, listenOptions, probePort } from '../platform/http/acceptors.js';
import { guardListener } from '../platform/http/listener-guard.js';
import { renewTls } from '../platform/http/tls.js';
import { startLogging } from '../platform/logging/logging.js';
import { MetricsListener, metricsPortFault } from '../operations/metrics/metrics-listener.js';
import { METRICS_PATH } from '../operations/metrics/metrics.controller.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import { startTracing } from '../platform/tracing/start-tracing.js';

/** Longest time to close an application whose start failed, in milliseconds. */
const CLOSE_MS = 5000;

/** A running service. */
export interface Running {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string;
  /** Tells the person who started it that it is ready, and where. */
  announce(): void;
  /** Ends everything in order (P12). @throws with a sentence that names what did not end within `SHUTDOWN_GRACE_MS`. */
  close(): Promise<void>;
}

/** A service that is starting, or has started. */
export interface Start {
  /** Rejects with a {@link StartError}, which has a sentence for the person who started it. */
  running: Promise<Running>;
  /** Stops the embedded PostgreSQL within a few seconds, if there is one. For a process that must exit at once. */
  stopDatabase(): Promise<void>;
}

interface Database {
  url: string;
  /** For the person who started the service. */
  name: string;
  /** `urgent`: within a few seconds. */
  stop(urgent?: boolean): Promise<void>;
}

/** Starts the service. Once `signal` is aborted, the start ends as soon as it can, and leaves nothing running. */
export function startStreamgate(settings: Settings, signal: AbortSignal): Start {
  let opening: Promise<Database> | undefined;
  const open = (log: DatabaseLog): Promise<Database> => {
    opening = openDatabase(settings.config, log, signal);
    return opening;
  };
  return {
    running: start(settings, signal, open),
    stopDatabase: async () => {
      const database = await opening?.catch(() => undefined);
      await database?.stop(true);
    },
  };
}

async function start(
  { config, keys, tls }: Settings,
  signal: AbortSignal,
  open: (log: DatabaseLog) => Promise<Database>,
): Promise<Running> {
  await checkPorts(config);
  const logging = await startLogging(config);
  for (const { name, nearest } of misspeltVariables()) {
    new Logger('Configuration').warn('unknown variable has no effect', {
      variable: name,
      didYouMean: nearest,
    });
  }
  const log = databaseLog();
  signal.throwIfAborted();
  const database = await open(log);
  let app: NestExpressApplication | undefined;
  try {
    signal.throwIfAborted();
    const parts = { config, keys, databaseUrl: database.url, log };
    app = await createApplication(parts, { logger: logging.logger, ...(tls && { httpsOptions: tls }) });
    const nodeId = app.get(NodeIdentity).id;
    logging.identify(nodeId);
    const stopTracing = await startTracing(config, nodeId);
    signal.throwIfAborted();
    return await serve(app, { config, logging, database, stopTracing });
  } catch (error) {
    // Before its database: connections that are cut would be logged as errors.
    if (app) await withTimeout(app.close(), CLOSE_MS).catch(() => false);
    await database.stop();
    throw error;
  }
}

interface Parts {
  config: Config;
  logging: Awaited<ReturnType<typeof startLogging>>;
  database: Database;
  stopTracing: () => Promise<void>;
}

async function serve(app: NestExpressApplication, parts: Parts): Promise<Running> {
  const { config, logging, database, stopTracing } = parts;
  const acceptors = await listen(app, config);
  const url = urlOf(app, config);
  const banner = bannerOf(url, config, {
    database: database.name,
    provider: app.get(ProviderRegistry).describe(),
    metrics: app.get(MetricsListener).url ?? `${url}/${METRICS_PATH}`,
  });
  return {
    url,
    announce: () => {
      logging.announce(banner, { url });
      // The start does not wait for it.
      if (config.LLM_CHECK_AT_START) void app.get(ProviderRegistry).logCheck();
    },
    close: () => {
      acceptors.close();
      return leave(app, { stopTracing, stopDatabase: (urgent) => database.stop(urgent) });
    },
  };
}

async function listen(app: NestExpressApplication, config: Config): Promise<Acceptors> {
  await configure(app, config);
  const server = app.getHttpServer() as HttpServer | TlsServer;
  guardListener(server);
  if ('setSecureContext' in server) renewTls(server, config);
  const handles = config.LISTEN_HANDLES - 1;
  const reusePort = await listenOn(app, config, handles).catch((error: unknown) => {
    throw listenFault(error, config);
  });
  const acceptors = new Acceptors(server);
  void acceptors.open(handles, reusePort);
  return acceptors;
}

/** @returns whether the port is reused by further handles. */
async function listenOn(app: NestExpressApplication, { PORT, HOST }: Config, handles: number) {
  const options = await listenOptions(PORT, HOST, handles);
  // Nest passes its first argument on to Node's `listen`, and its types know a port only.
  await app.listen(options as unknown as number);
  return options.reusePort;
}

/** Finds a port that cannot be used before anything else is begun: no database is made, and nothing is logged. */
async function checkPorts(config: Config): Promise<void> {
  await probePort(config.PORT, config.HOST).catch((error: unknown) => {
    throw listenFault(error, config);
  });
  const { METRICS_PORT, HOST } = config;
  if (METRICS_PORT === undefined) return;
  await probePort(METRICS_PORT, HOST).catch((error: unknown) => {
    throw new StartError(metricsPortFault(METRICS_PORT, error as Error), { cause: error });
  });
}

/** Returns an error that says what to do, where that is known. */
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

async function openDatabase(config: Config, log: DatabaseLog, signal: AbortSignal): Promise<Database> {
  if (config.DATABASE_URL === undefined) {
    const embedded = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log });
    return {
      url: embedded.url,
      name: `embedded PostgreSQL in ${config.DATA_DIR}`,
      stop: (urgent) => embedded.stop(urgent),
    };
  }
  await waitForDatabase({ url: config.DATABASE_URL, log, signal });
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
    info: (message, fields = {}) => logger.log(message, fields),
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  };
}
