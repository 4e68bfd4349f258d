import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Config } from '../../platform/config/config.js';
import { waitForDatabase } from '../../platform/database/connect.js';
import { urlOf } from '../../platform/database/embedded/ownership.js';
import { findPostmaster } from '../../platform/database/embedded/postmaster.js';
import { startEmbeddedPostgres } from '../../platform/database/embedded-postgres.js';
import { prepareSession } from '../../platform/database/session.js';
import { TablesStore } from './tables.store.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

/**
 * Runs `work` on the database of `config`: that of DATABASE_URL, or the embedded one, which is started and stopped again
 * unless it runs. To be written, the embedded one must not be in use.
 * @throws {StartError} with a sentence that says what to do.
 */
export async function withDatabase(
  config: Config,
  mode: 'read' | 'write',
  work: (database: TablesStore, url: string) => Promise<void>,
): Promise<void> {
  const { url, stop } = await open(config, mode);
  const client = new Client({
    connectionString: url,
    application_name: `streamgate ${mode}`,
    keepAlive: true,
  });
  client.on('error', () => {}); // It reaches the pending call as well.
  try {
    await client.connect();
    const unlimited = { statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 };
    await prepareSession(client, unlimited);
    await work(new TablesStore(client), url);
  } finally {
    await client.end().catch(() => {});
    await stop();
  }
}

async function open(config: Config, mode: 'read' | 'write') {
  const { DATABASE_URL, DATA_DIR } = config;
  const stop = (): Promise<void> => Promise.resolve();
  if (DATABASE_URL !== undefined) {
    // A standby can be exported.
    if (mode === 'write') await waitForDatabase({ url: DATABASE_URL, log: QUIET });
    return { url: DATABASE_URL, stop };
  }
  const folder = join(DATA_DIR, 'postgres');
  const running = await findPostmaster(folder, join(DATA_DIR, 'postgres.log'));
  if (running && mode === 'read') {
    const password = await readFile(join(folder, 'streamgate.password'), 'utf8');
    return { url: urlOf(running, password.trim()), stop };
  }
  const embedded = await startEmbeddedPostgres({ dataDir: DATA_DIR, log: QUIET });
  return { url: embedded.url, stop: () => embedded.stop() };
}
