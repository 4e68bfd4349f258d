import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { configure, createApplication } from './application.js';
import { leave } from './shutdown.js';
import type { Settings } from './settings.js';
import { NodeIdentity } from '../common/ids.js';
import type { Config } from '../platform/config/config.js';
import { StartError } from '../platform/database/start-error.js';
import { waitForDatabase } from '../platform/database/connect.js';
import { startEmbeddedPostgres } from '../platform/database/embedded-postgres.js';
import type { DatabaseLog } from '../platform/database/log.js';
import { Acceptors, listenOptions } from '../platform/http/acceptors.js';
import { guardListener } from '../platform/http/listener-guard.js';
import { renewTls } from '../platform/http/tls.js';
import { startLogging } from '../platform/logging/logging.js';
import { MetricsListener } from '../operations/metrics/metrics-listener.js';
import { METRICS_PATH } from '../operations/metrics/metrics.controller.js';
import { ProviderRegistry } from '../providers/provider-registry.js';
import { startTracing } from '../platform/tracing/start-tracing.js';

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
    const parts = { config, keys, databaseUrl: database.url, log };
    const app = await createApplication(parts, { logger: logging.logger, ...(tls && { httpsOptions: tls }) });
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
    info: (message, fields = {}) => logger.log(message, fields),
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  };
}
