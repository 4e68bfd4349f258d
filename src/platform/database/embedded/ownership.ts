import { setTimeout as delay } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import type { DatabaseLog } from '../log.js';
import { prepareSession } from '../session.js';
import { StartError } from '../start-error.js';
import type { Postmaster } from './postmaster.js';

/** Held by the session of the one process that owns this PostgreSQL; PostgreSQL itself frees it when that process dies. */
const LOCK = 5_742_001;
const POLL_MS = 15;
/** Crash recovery of a large database takes long. */
const READY_DEADLINE_MS = 120_000;
const CONNECT_MS = 3000;
const LOG_INTERVAL_MS = 5000;
/** How long a PostgreSQL that found its port taken may need to end. */
const END_MS = 1000;
/** How long PostgreSQL may take to notice that the previous owner was killed. */
const LOCK_DEADLINE_MS = 2000;

/** SQLSTATEs of a server that is starting or stopping, or that still holds the connections of a killed process. */
const TEMPORARY = /^(57P..|53300)$/;
const DATABASE = 'streamgate';

/** Another process owns this PostgreSQL. */
export class OwnedByAnotherError extends StartError {}

/**
 * Takes the lock of `postmaster` for this process as soon as it accepts connections, and makes sure that the database
 * `streamgate` exists. Returns the session that holds the lock, or undefined if PostgreSQL ended meanwhile.
 * @throws {OwnedByAnotherError} if another process has it.
 * @throws {StartError} if it accepts no connections in time.
 */
export async function takeOwnership(
  postmaster: Postmaster,
  password: string,
  log: DatabaseLog,
): Promise<Client | undefined> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  let logAt = Date.now() + LOG_INTERVAL_MS;
  for (;;) {
    const session = await connect(postmaster, password).catch(async (refusal: unknown) => {
      // Another program's PostgreSQL may have taken the port, and ours be about to end for that.
      if (await endsSoon(postmaster)) return refusal as Error;
      throw refusal;
    });
    if (session instanceof Client) return session;
    if (!(await postmaster.isRunning())) return undefined;
    if (Date.now() > deadline) {
      throw new StartError(
        `The embedded PostgreSQL (pid ${postmaster.pid}) is running but does not accept connections (${session.message}): stop it, then start again.`,
      );
    }
    if (Date.now() > logAt) {
      log.info('waiting for the embedded PostgreSQL', { pid: postmaster.pid, reason: session.message });
      logAt += LOG_INTERVAL_MS;
    }
    await delay(POLL_MS);
  }
}

async function endsSoon(postmaster: Postmaster): Promise<boolean> {
  const deadline = performance.now() + END_MS;
  while (await postmaster.isRunning()) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** Returns a session that holds the lock, or why there is none yet. */
async function connect({ port }: Postmaster, password: string): Promise<Client | Error> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database: 'postgres',
    application_name: `streamgate owner ${process.pid}`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  });
  // Until it is handed over, an error of this connection reaches the pending call as well.
  const ignore = (): void => {};
  client.on('error', ignore);
  try {
    await client.connect();
    // Above all it must never be closed for being idle: the lock would go with it.
    await prepareSession(client, { statement_timeout: CONNECT_MS });
    await lock(client);
    await createDatabase(client);
    client.off('error', ignore);
    return client;
  } catch (error) {
    void client.end().catch(ignore);
    if (error instanceof StartError) throw error;
    if (!(error instanceof DatabaseError)) return error as Error; // Refused, reset, timed out: not up, or going down.
    if (TEMPORARY.test(error.code ?? '')) return error;
    throw new StartError(`The embedded PostgreSQL refuses this Streamgate: ${error.message}.`, {
      cause: error,
    });
  }
}

async function lock(client: Client): Promise<void> {
  const deadline = Date.now() + LOCK_DEADLINE_MS;
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      LOCK,
    ]);
    if (rows[0]?.taken) return;
    if (Date.now() > deadline) throw await occupied(client);
    await delay(POLL_MS);
  }
}

async function occupied(client: Client): Promise<OwnedByAnotherError> {
  const { rows } = await client.query<{ name: string }>(
    `select a.application_name as name
       from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.objid = $1 and l.granted`,
    [LOCK],
  );
  const pid = rows[0]?.name.replace(/\D+/, '') ?? 'unknown';
  return new OwnedByAnotherError(
    `Another Streamgate (pid ${pid}) uses this DATA_DIR: stop it, or set DATA_DIR to another folder.`,
  );
}

async function createDatabase(client: Client): Promise<void> {
  const found = await client.query('select from pg_database where datname = $1', [DATABASE]);
  if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
}

/** The URL of the database `streamgate` on `postmaster`. */
export function urlOf({ port }: Postmaster, password: string): string {
  return `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE}`;
}
