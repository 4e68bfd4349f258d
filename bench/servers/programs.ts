import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cleanup } from '../harness/cleanup.js';
import type { BenchDatabase } from '../harness/database.js';
import { BENCH, ROOT, startServer, type ServerProcess } from '../harness/processes.js';
import { SECRET } from '../load/virtual-users.js';

interface ServerOptions {
  cleanup: Cleanup;
  database: BenchDatabase;
  /** `LLM_BASE_URL`; not needed if the scenario requests no answers. */
  providerUrl?: string | undefined;
  /** Name in the table of results; default `streamgate`. */
  name?: string;
  /** Further variables of Streamgate. */
  env?: Record<string, string>;
}

/** Starts the built service without rate limits, with room for 20,000 connections and a short shutdown. */
export async function startStreamgate({
  cleanup,
  database,
  providerUrl,
  env = {},
  name = 'streamgate',
}: ServerOptions): Promise<ServerProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-bench-data-'));
  cleanup.add(() => rm(dataDir, { recursive: true, force: true }));
  const provider = providerUrl === undefined ? {} : { LLM_BASE_URL: providerUrl, LLM_MODEL: 'flood' };
  return startServer(
    {
      name,
      program: join(ROOT, 'dist/main.js'),
      env: {
        ...{ NODE_ENV: 'production', LOG_LEVEL: 'warn', PORT: '0', DATA_DIR: dataDir },
        ...{
          DATABASE_URL: await database.create(cleanup),
          AUTH_JWT_SECRET: SECRET,
          RATE_LIMIT_ENABLED: 'false',
        },
        ...{ MAX_CONNECTIONS: '20000', SHUTDOWN_GRACE_MS: '5000', SHUTDOWN_SPREAD_MS: '100' },
        ...{ ...provider, ...env },
      },
    },
    cleanup,
  );
}

/** Starts the bare Socket.IO server; with a `reader` other than the library's, see `token-readers.ts`. */
export function startBare(
  cleanup: Cleanup,
  providerUrl = '',
  reader: 'library' | 'fetch' = 'library',
): Promise<ServerProcess> {
  return startServer(
    {
      name: reader === 'fetch' ? 'bare Socket.IO, fetch' : 'bare Socket.IO',
      program: join(BENCH, 'servers/bare.js'),
      env: { NODE_ENV: 'production', LLM_BASE_URL: providerUrl, READER: reader },
    },
    cleanup,
  );
}

/** Starts the bare Socket.IO server with Socket.IO's own connection state recovery. */
export function startBareWithRecovery(cleanup: Cleanup, port = 0): Promise<ServerProcess> {
  return startServer(
    {
      name: 'bare Socket.IO, recovery',
      program: join(BENCH, 'servers/bare.js'),
      env: { NODE_ENV: 'production', RECOVERY: 'true', PORT: String(port) },
    },
    cleanup,
  );
}

/** Starts the NestJS gateway with a TypeORM `save` per message. */
export async function startNestTypeorm({ cleanup, database }: ServerOptions): Promise<ServerProcess> {
  return startServer(
    {
      name: 'NestJS + TypeORM save',
      program: join(BENCH, 'servers/nest-typeorm.js'),
      env: { NODE_ENV: 'production', DATABASE_URL: await database.create(cleanup) },
    },
    cleanup,
  );
}
