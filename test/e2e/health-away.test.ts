import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ack, SendResult } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

interface Health {
  status: string;
  details: Record<string, { status: string } & Record<string, unknown>>;
}

/** Two seconds by contract; the rest is for a machine with much else to do. */
const ANSWERED_MS = 20_000;

let postgres: OwnPostgres;
let server: TestServer;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  server = await startServer({
    databaseUrl: postgres.url,
    env: { LOG_LEVEL: 'silent', MAX_CONNECTIONS: '2' },
  });
}, 90_000);

afterAll(async () => {
  await server.stop();
  await postgres.remove();
}, 60_000);

async function health(path = ''): Promise<{ code: number; body: Health }> {
  const response = await fetch(`${server.url}/api/ws/health${path}`, {
    signal: AbortSignal.timeout(ANSWERED_MS),
  });
  return { code: response.status, body: (await response.json()) as Health };
}

test('a healthy server shows the figures of each part without a token, and nothing else', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  const { code, body } = await health();
  expect(code).toBe(200);
  expect(Object.keys(body.details).toSorted()).toEqual([
    'database',
    'gateway',
    'nodes',
    'process',
    'provider',
    'streams',
  ]);
  expect(body.details).toMatchObject({
    database: { status: 'up' },
    gateway: { status: 'up', connections: 1, users: 1, maxConnections: 2 },
    streams: { status: 'up', active: 0, successRate: null },
    provider: { status: 'up', name: 'guide', breaker: 'closed', degraded: false },
    nodes: { status: 'up', others: 0, degraded: false },
    process: { status: 'up', memory: { rssBytes: expect.any(Number) as number } },
  });
  expect(JSON.stringify(body)).not.toMatch(/postgres:|127\.0\.0\.1|\/tmp|secret|password/);
  ann.close();
});

test('a server without room for a connection lives, and is not ready', async () => {
  const clients = [await TestClient.connect(server.url, 'ann'), await TestClient.connect(server.url, 'bob')];
  expect(await health('/ready')).toMatchObject({
    code: 503,
    body: { details: { gateway: { status: 'down' } } },
  });
  expect(await health('/live')).toMatchObject({ code: 200, body: { status: 'ok' } });
  for (const client of clients) client.close();
  await eventually(async () => (await health('/ready')).code === 200, 'room again');
});

test('a frozen database is 503 in time, for a hundred probes at once; metrics still answer; then it heals (P7)', async () => {
  expect((await health('/ready')).code).toBe(200);
  await postgres.signal('SIGSTOP');
  try {
    const probes = await Promise.all(Array.from({ length: 100 }, (_, n) => health(n % 2 ? '/ready' : '')));
    for (const { code, body } of probes) {
      expect(code).toBe(503);
      expect(body).toMatchObject({ status: 'error', details: { database: { status: 'down' } } });
    }
    expect((await health('/live')).code).toBe(200);
    const samples = await scrape(server.url);
    expect(sumOf(samples, 'streamgate_connections')).toBe(0);
    expect(samples.filter(({ name }) => name === 'streamgate_queue_users')).toEqual([]);
    expect(sumOf(samples, 'streamgate_ready', { part: 'database' })).toBe(0);
    // The second reading asks the queue for nothing: it failed a moment ago.
    expect(sumOf(await scrape(server.url), 'streamgate_queue_sample_failures_total')).toBe(1);
  } finally {
    await postgres.signal('SIGCONT');
  }
  await eventually(async () => (await health('/ready')).code === 200, 'ready again');
  const sessions = await withClient(postgres.directUrl(), async (client) => {
    const { rows } = await client.query<{ count: string }>(
      `select count(*) from pg_stat_activity where application_name = 'streamgate health'`,
    );
    return Number(rows[0]?.count);
  });
  expect(sessions).toBeLessThanOrEqual(2);
});

test('a database that lacks a migration is not ready', async () => {
  const [name] = await withClient(postgres.directUrl(), async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'delete from migrations where id = (select max(id) from migrations) returning name',
    );
    return rows.map((row) => row.name);
  });
  expect(await health('/ready')).toMatchObject({
    code: 503,
    body: { details: { database: { status: 'down' } } },
  });
  await withClient(postgres.directUrl(), (client) =>
    client.query('insert into migrations (timestamp, name) values (0, $1)', [name]),
  );
  expect((await health('/ready')).code).toBe(200);
});

test('a database that can only be read is not ready and stores nothing; then sessions are replaced and it goes on by itself (P1)', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  await ann.ask('conversation:join', { conversationId: 'read-only' });
  const send = () =>
    ann.raw<Ack<SendResult>>('message:send', {
      ...{ conversationId: 'read-only', clientMessageId: 'm', content: 'x', respond: false },
    });
  const set = (text: string): Promise<unknown> =>
    withClient(postgres.directUrl(), async (client) => {
      await client.query('set default_transaction_read_only = off');
      await client.query(`alter database streamgate ${text}`);
      // As after a failover, when the old sessions are those of a server that can only be read.
      await client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name like 'streamgate%' and application_name not like '%owner%' and $1`,
        [text.startsWith('set')],
      );
    });
  await set('set default_transaction_read_only = on');
  await eventually(async () => (await health('/ready')).code === 503, 'not ready');
  await eventually(async () => {
    const answer = await send();
    return !answer.ok && answer.error.code === 'timeout' && answer.error.retryable;
  }, 'a send is refused as retryable');
  const joined = await ann.raw('conversation:join', { conversationId: 'read-only-new' });
  expect(joined).toMatchObject({ ok: false, error: { code: 'timeout', retryable: true } });
  await set('reset default_transaction_read_only');
  await eventually(async () => (await health('/ready')).code === 200, 'ready again');
  await eventually(async () => (await send()).ok, 'stored');
  await eventually(
    async () => (await ann.raw('conversation:join', { conversationId: 'read-only-new' })).ok,
    'joined',
  );
  ann.close();
});
