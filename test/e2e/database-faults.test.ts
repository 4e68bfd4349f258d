import { expect, test, vi } from 'vitest';
import type { Ack, SendResult } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.js';
import { startServer, type TestServer } from '../support/server.js';
import { readLog, waitForStreams } from '../support/stream-log.js';
import { chunksOf, expectWholeStream } from '../support/streams.js';
import { withClient } from '../support/with-client.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const CONVERSATION = 'faults';
const QUESTION = 'How do I use my own PostgreSQL?';

const STOPPED_MS = 20_000;

/** A server with an answer under way, two people who look, and a PostgreSQL of its own that may be harmed. */
interface Scene {
  postgres: OwnPostgres;
  server: TestServer;
  ann: TestClient;
  bob: TestClient;
  streamId: string;
  end(): Promise<void>;
}

/** Resolves once the answer's text is being seen. */
async function setScene(env: Record<string, string> = {}): Promise<Scene> {
  const postgres = await startOwnPostgres();
  const server = await startServer({
    databaseUrl: postgres.url,
    env: { RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'silent', GUIDE_WORDS_PER_SECOND: '30', ...env },
  });
  const ann = await TestClient.connect(server.url, 'ann', { acks: true });
  const bob = await TestClient.connect(server.url, 'bob', { acks: true });
  for (const client of [ann, bob]) {
    await client.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
  }
  const question = { conversationId: CONVERSATION, clientMessageId: 'q', content: QUESTION };
  const { streamId } = await ann.ask('message:send', question);
  await bob.waitFor('stream:chunk', ({ sequence }) => sequence === 3);
  const end = async (): Promise<void> => {
    ann.close();
    bob.close();
    await server.stop();
    await postgres.remove();
  };
  return { postgres, server, ann, bob, streamId: streamId as string, end };
}

function send({ ann }: Scene, clientMessageId: string): Promise<Ack<SendResult>> {
  const payload = { conversationId: CONVERSATION, clientMessageId, content: 'x', respond: false };
  return ann.raw<Ack<SendResult>>('message:send', payload);
}

async function readiness({ server }: Scene): Promise<number> {
  return (await fetch(`${server.url}/api/ws/health/ready`)).status;
}

/**
 * While the database is away, for `awayMs` and at least as long as two writes take to be refused: those can be sent again, what
 * needs no database goes on, and nothing is shown that is not in the log (P4).
 */
async function expectAway(scene: Scene, clientMessageId: string, awayMs = 0): Promise<void> {
  const since = performance.now();
  await expectRefused(scene, clientMessageId);
  // What was committed just before was still shown; now there is no more.
  const seen = chunksOf(scene.bob, scene.streamId).length;
  do await expectRefused(scene, clientMessageId);
  while (performance.now() - since < awayMs);
  expect(chunksOf(scene.bob, scene.streamId)).toHaveLength(seen);
}

async function expectRefused(scene: Scene, clientMessageId: string): Promise<void> {
  const { ann, bob, server } = scene;
  const refused = send(scene, clientMessageId);
  await ann.ask('typing:start', { conversationId: CONVERSATION });
  await bob.waitFor('typing:update', ({ userId, isTyping }) => userId === 'ann' && isTyping);
  expect(await ann.raw('ping', 1)).toMatchObject({ ok: true });
  expect(await readiness(scene)).toBe(503);
  expect(await refused).toMatchObject({ ok: false, error: { code: 'timeout', retryable: true } });
  const samples = await scrape(server.url);
  expect(sumOf(samples, 'streamgate_ready', { part: 'database' })).toBe(0);
  expect(sumOf(samples, 'streamgate_commit_failures_total', { log: 'messages' })).toBeGreaterThan(0);
}

/** Afterwards: ready again, what was refused is stored once, the answer is whole, and nobody was ever taken for gone. */
async function expectHealed(scene: Scene, clientMessageId: string): Promise<void> {
  const { postgres, ann, bob, streamId } = scene;
  await eventually(async () => (await readiness(scene)) === 200, 'ready again');
  await eventually(async () => (await send(scene, clientMessageId)).ok, 'stored');
  expect(await send(scene, clientMessageId)).toMatchObject({ ok: true, duplicate: true });
  const { rows } = await withClient(postgres.directUrl(), (client) =>
    client.query('select from messages where client_message_id = $1', [clientMessageId]),
  );
  expect(rows).toHaveLength(1);
  await waitForStreams(postgres.directUrl(), [streamId], ({ status }) => status === 'completed');
  await bob.waitFor('message:new', (message) => message.streamId === streamId);
  expectWholeStream(bob, streamId);
  expect(await readLog(postgres.directUrl(), streamId)).toEqual(chunksOf(bob, streamId));
  expect([ann.socket.connected, bob.socket.connected]).toEqual([true, true]);
  expect(bob.all('presence:update').filter(({ status }) => status === 'offline')).toEqual([]);
}

// They mostly wait, so they do it together.
for (const [length, leaseMs] of [
  ['shorter than the lease', '15000'],
  ['longer than the lease', '1000'],
] as const) {
  test.concurrent(
    `PostgreSQL stands still for ${length}: the answer waits and goes on, whole, in the same hands (P2, P4, P5, P9)`,
    async ({ onTestFinished }) => {
      const scene = await setScene({ STREAM_LEASE_MS: leaseMs });
      onTestFinished(() => scene.end());
      await scene.postgres.signal('SIGSTOP');
      try {
        await expectAway(scene, 'still');
      } finally {
        await scene.postgres.signal('SIGCONT');
      }
      await expectHealed(scene, 'still');
      const [row] = await waitForStreams(scene.postgres.directUrl(), [scene.streamId], () => true);
      expect(row).toMatchObject({ epoch: 1, interruptions: 0, recoveries: 0 });
    },
  );
}

test.concurrent(
  'PostgreSQL is shut down for 20 s and started again: the answer waits and goes on, whole (P2, P4, P5, P9)',
  async ({ onTestFinished }) => {
    const scene = await setScene({ STREAM_LEASE_MS: '3000' });
    onTestFinished(() => scene.end());
    await scene.postgres.shutDown();
    await expectAway(scene, 'stopped', STOPPED_MS);
    await scene.postgres.start();
    await expectHealed(scene, 'stopped');
  },
);

test.concurrent(
  'PostgreSQL answers 200 ms late: everything goes on, later (P2, P4, P5)',
  async ({ onTestFinished }) => {
    const scene = await setScene();
    onTestFinished(() => scene.end());
    scene.postgres.slow(200);
    expect(await send(scene, 'slow')).toMatchObject({ ok: true });
    expect(await readiness(scene)).toBe(200);
    await expectHealed(scene, 'slow');
  },
);

test.concurrent(
  'PostgreSQL can only be read for a while, as after a failover: the answer waits and goes on, whole (P2, P4, P5)',
  async ({ onTestFinished }) => {
    const scene = await setScene();
    onTestFinished(() => scene.end());
    const set = (text: string): Promise<unknown> =>
      withClient(scene.postgres.directUrl(), async (client) => {
        await client.query('set default_transaction_read_only = off');
        await client.query(`alter database streamgate ${text}`);
      });
    await set('set default_transaction_read_only = on');
    await withClient(scene.postgres.directUrl(), (client) =>
      client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name like 'streamgate%' and application_name not like '%owner%'`,
      ),
    );
    await eventually(async () => (await readiness(scene)) === 503, 'not ready');
    await expectRefused(scene, 'read-only');
    await set('reset default_transaction_read_only');
    await expectHealed(scene, 'read-only');
  },
);
