import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Ack, SendAnswer } from '../../src/protocol/index.js';
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

let postgres: OwnPostgres;
let server: TestServer;
let ann: TestClient;
let bob: TestClient;

beforeEach(async () => {
  postgres = await startOwnPostgres();
});

afterEach(async () => {
  ann.close();
  bob.close();
  await server.stop();
  await postgres.remove();
});

async function begin(env: Record<string, string> = {}): Promise<void> {
  server = await startServer({
    databaseUrl: postgres.url,
    env: { RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'silent', GUIDE_WORDS_PER_SECOND: '15', ...env },
  });
  ann = await TestClient.connect(server.url, 'ann', { acks: true });
  bob = await TestClient.connect(server.url, 'bob', { acks: true });
  for (const client of [ann, bob]) {
    await client.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
  }
}

function send(clientMessageId: string): Promise<Ack<SendAnswer>> {
  const payload = { conversationId: CONVERSATION, clientMessageId, content: 'x', respond: false };
  return ann.raw<Ack<SendAnswer>>('message:send', payload);
}

/** Asks, and gives the stream's id once its text is being seen. */
async function ask(): Promise<string> {
  const question = { conversationId: CONVERSATION, clientMessageId: 'q', content: QUESTION };
  const { streamId } = await ann.ask('message:send', question);
  await bob.waitFor('stream:chunk', ({ sequence }) => sequence === 3);
  return streamId as string;
}

async function readiness(): Promise<number> {
  return (await fetch(`${server.url}/api/ws/health/ready`)).status;
}

/** While the database is away: writes are refused so that they can be sent again, and what needs no database goes on. */
async function expectAway(clientMessageId: string): Promise<void> {
  const refused = send(clientMessageId);
  await ann.ask('typing:start', { conversationId: CONVERSATION });
  await bob.waitFor('typing:update', ({ userId, isTyping }) => userId === 'ann' && isTyping);
  expect(await ann.raw('ping', 1)).toMatchObject({ ok: true });
  expect(await readiness()).toBe(503);
  expect(await refused).toMatchObject({ ok: false, error: { code: 'timeout', retryable: true } });
  const samples = await scrape(server.url);
  expect(sumOf(samples, 'streamgate_ready', { part: 'database' })).toBe(0);
  expect(sumOf(samples, 'streamgate_commit_failures_total', { log: 'messages' })).toBeGreaterThan(0);
}

/** Afterwards: ready again, what was refused is stored once, the answer is whole, and nobody was ever taken for gone. */
async function expectHealed(clientMessageId: string, streamId: string): Promise<void> {
  await eventually(async () => (await readiness()) === 200, 'ready again');
  await eventually(async () => (await send(clientMessageId)).ok, 'stored');
  expect(await send(clientMessageId)).toMatchObject({ ok: true, duplicate: true });
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

/** Nothing that is not in the log is shown while the log cannot be written (P4). */
function expectStill(seen: number, streamId: string): void {
  expect(chunksOf(bob, streamId)).toHaveLength(seen);
}

for (const [length, leaseMs] of [
  ['shorter than the lease', '15000'],
  ['longer than the lease', '1000'],
] as const) {
  test(`PostgreSQL stands still for ${length}: the answer waits and goes on, whole, in the same hands (P2, P4, P5, P9)`, async () => {
    await begin({ STREAM_LEASE_MS: leaseMs });
    const streamId = await ask();
    await postgres.signal('SIGSTOP');
    try {
      // What was committed just before is still shown.
      await expectAway('still');
      const seen = chunksOf(bob, streamId).length;
      await expectAway('still');
      expectStill(seen, streamId);
    } finally {
      await postgres.signal('SIGCONT');
    }
    await expectHealed('still', streamId);
    const [row] = await waitForStreams(postgres.directUrl(), [streamId], () => true);
    expect(row).toMatchObject({ epoch: 1, interruptions: 0, recoveries: 0 });
  });
}

test('PostgreSQL is shut down and started again: the answer waits and goes on, whole (P2, P4, P5, P9)', async () => {
  await begin({ STREAM_LEASE_MS: '3000' });
  const streamId = await ask();
  await postgres.shutDown();
  await expectAway('stopped');
  const seen = chunksOf(bob, streamId).length;
  await expectAway('stopped');
  expectStill(seen, streamId);
  await postgres.start();
  await expectHealed('stopped', streamId);
});

test('PostgreSQL answers 200 ms late: everything goes on, later (P2, P4, P5)', async () => {
  await begin();
  const streamId = await ask();
  postgres.slow(200);
  expect(await send('slow')).toMatchObject({ ok: true });
  expect(await readiness()).toBe(200);
  await expectHealed('slow', streamId);
});
