import { Client } from 'pg';
import { withClient } from './with-client.js';

const DEADLINE_MS = 10_000;

/** A connection that the test itself ends: for transactions that hold locks. */
export async function connectedClient(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

/** Waits until `count` statements wait for locks in this database. @throws after 10 s. */
export function untilBlocked(url: string, count: number): Promise<void> {
  return withClient(url, async (client) => {
    const giveUpAt = Date.now() + DEADLINE_MS;
    for (;;) {
      const { rowCount } = await client.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      if (rowCount === count) return;
      if (Date.now() > giveUpAt) throw new Error(`${rowCount} statements wait for locks, not ${count}`);
      await client.query('select pg_sleep(0.005)');
    }
  });
}
