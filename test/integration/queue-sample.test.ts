import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { QueueSampleStore } from '../../src/queue/queue-sample.store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { connectedClient, untilBlocked } from '../support/locks.js';
import { withClient } from '../support/with-client.js';

let database: TestDatabase;
let connections: DedicatedConnections;
let store: QueueSampleStore;

beforeAll(async () => {
  database = await createTestDatabase();
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  connections = new DedicatedConnections({ url: database.url, log });
  store = new QueueSampleStore(connections);
  await withClient(database.url, async (client) => {
    await client.query(
      `insert into deliveries (user_id, system, created_at)
       select user_id, '{}', now() - age * interval '1 s'
       from (values ('ann', 5), ('ann', 60), ('bob', 1)) d(user_id, age)`,
    );
    await client.query(
      `insert into ended_deliveries (user_id, id, system, attempts, state, created_at)
       select 'ann', n, '{}', 0, case when n < 3 then 'dropped' else 'failed' end, now() from generate_series(1, 3) n`,
    );
  });
});

afterAll(async () => {
  await connections.close();
  await database.drop();
});

/** Holds a lock that every count of the queue waits for. */
async function lockQueue(): Promise<() => Promise<unknown>> {
  const client = await connectedClient(database.url);
  onTestFinished(() => client.end());
  await client.query('begin');
  await client.query('lock table deliveries in access exclusive mode');
  return () => client.query('commit');
}

test('Counts what waits and what ended, by state', async () => {
  const sample = await store.read();
  expect(sample).toMatchObject({
    users: 2,
    deliveries: { queued: 3, expired: 0, dropped: 2, failed: 1 },
  });
  expect(sample.oldestSeconds).toBeGreaterThanOrEqual(60);
});

test('Any number of readers at once costs one count', async () => {
  const release = await lockQueue();
  const reads = Array.from({ length: 50 }, () => store.read());
  await untilBlocked(database.url, 1);
  await release();
  const samples = await Promise.all(reads);
  expect(new Set(samples).size).toBe(1);
  expect(await store.read()).not.toBe(samples[0]);
});

test('A count that takes longer than a second is a retryable timeout, and the next one works', async () => {
  const release = await lockQueue();
  // The clock of this test: far above the bound, and below the timeouts of every connection.
  const clock = withClient(database.url, (client) => client.query('select pg_sleep(2.5)'));
  const read = store.read().catch((error: unknown) => error);
  expect(await Promise.race([read, clock])).toMatchObject({ code: 'timeout', retryable: true });
  await clock;
  await release();
  await expect(store.read()).resolves.toMatchObject({ users: 2 });
});
