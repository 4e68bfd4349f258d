import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ack, SendResult } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const CONVERSATION = 'away';
/** Within 5 s by the protocol; the rest is for a machine with much else to do. */
const ANSWERED_MS = 20_000;
/** 16,000 characters each: more than 64 MB, counted as the server counts them, is not kept waiting. */
const FLOOD = 5000;
const FLOOD_SENDERS = 5;

let postgres: OwnPostgres;
let server: TestServer;
let ann: TestClient;
let bob: TestClient;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  server = await startServer({
    databaseUrl: postgres.url,
    env: { RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'silent', VIEWER_MAX_BUFFERED_BYTES: '1000000000' },
  });
  ann = await TestClient.connect(server.url, 'ann', { acks: true });
  bob = await TestClient.connect(server.url, 'bob', { acks: true });
  for (const client of [ann, bob]) {
    await client.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
  }
}, 90_000);

afterAll(async () => {
  ann.close();
  bob.close();
  await server.stop();
  await postgres.remove();
}, 60_000);

interface Answered {
  answer: Ack<SendResult>;
  tookMs: number;
}

async function send(
  client: TestClient,
  clientMessageId: string,
  content = clientMessageId,
): Promise<Answered> {
  const payload = { conversationId: CONVERSATION, clientMessageId, content, respond: false };
  const began = performance.now();
  const answer = (await client.socket
    .timeout(60_000)
    .emitWithAck('message:send', payload)) as Ack<SendResult>;
  return { answer, tookMs: performance.now() - began };
}

/** Sends again under the same id until it is stored. */
async function resend(client: TestClient, clientMessageId: string): Promise<SendResult> {
  let stored: SendResult | undefined;
  await eventually(async () => {
    const { answer } = await send(client, clientMessageId);
    if (answer.ok) stored = answer;
    return answer.ok;
  }, `${clientMessageId} is stored`);
  return stored as SendResult;
}

function expectRetryable({ answer, tookMs }: Answered): void {
  expect(answer).toMatchObject({ ok: false, error: { retryable: true } });
  expect(codeOf(answer)).toBe('timeout');
  expect(tookMs).toBeLessThan(ANSWERED_MS);
}

function codeOf(answer: Ack<SendResult>): string {
  return answer.ok ? 'ok' : answer.error.code;
}

async function storedIds(): Promise<string[]> {
  return withClient(postgres.directUrl(), async (client) => {
    const { rows } = await client.query<{ id: string; seq: number }>(
      'select client_message_id as id, seq::int from messages where conversation_id = $1 order by seq',
      [CONVERSATION],
    );
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
    return rows.map(({ id }) => id);
  });
}

/** Every one of `ids` is stored once, and `bob` has heard it live on the connection that he had all the time. */
async function expectOnceAndHeard(ids: string[]): Promise<void> {
  expect((await storedIds()).filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted());
  const heard = (): (string | undefined)[] =>
    bob.all('message:new').map(({ clientMessageId }) => clientMessageId);
  await eventually(() => ids.every((id) => heard().includes(id)), 'bob has heard every message');
  const seqs = bob.all('message:new').map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, index) => index + 1));
}

test('A database that stands still: sends are answered as retryable, sockets stay, and it goes on by itself (P1, P2)', async () => {
  expect((await send(ann, 'before')).answer.ok).toBe(true);
  await postgres.signal('SIGSTOP');
  const ids = Array.from({ length: 20 }, (_, n) => `still-${n}`);
  try {
    const joining = bob.raw('message:history', { conversationId: CONVERSATION });
    for (const answered of await Promise.all(ids.map((id) => send(ann, id)))) expectRetryable(answered);
    expect(await joining).toMatchObject({ ok: false, error: { code: 'timeout', retryable: true } });
    expectRetryable(await send(ann, ids[0] as string)); // Again, while it still stands.
    expect(await ann.raw('ping', 'alive')).toMatchObject({ ok: true, echo: 'alive' });
  } finally {
    await postgres.signal('SIGCONT');
  }
  await Promise.all(ids.map((id) => resend(ann, id)));
  for (const id of ids) expect((await resend(ann, id)).duplicate).toBe(true);
  await expectOnceAndHeard(['before', ...ids]);
  expect([ann.socket.connected, bob.socket.connected]).toEqual([true, true]);
}, 90_000);

test('A flood meanwhile is refused, not piled up (P7)', async () => {
  const senders = await Promise.all(
    Array.from({ length: FLOOD_SENDERS }, (_, n) => TestClient.connect(server.url, `flood-${n}`)),
  );
  for (const sender of senders) await sender.ask('conversation:join', { conversationId: CONVERSATION });
  await postgres.signal('SIGSTOP');
  const content = 'x'.repeat(16_000);
  try {
    const answers = await Promise.all(
      Array.from({ length: FLOOD }, (_, n) =>
        send(senders[n % FLOOD_SENDERS] as TestClient, `flood-${n}`, content),
      ),
    );
    const codes = answers.map(({ answer }) => codeOf(answer));
    expect(new Set(codes)).toEqual(new Set(['timeout', 'rate_limited']));
    expect(codes.filter((code) => code === 'rate_limited').length).toBeGreaterThan(FLOOD / 4);
  } finally {
    await postgres.signal('SIGCONT');
  }
  await resend(ann, 'after the flood');
  for (const sender of senders) {
    expect(sender.socket.connected).toBe(true);
    sender.close();
  }
}, 90_000);

test('A database that dies and comes back: what was acked is there, resends are stored once, live goes on (P1, P2, P3)', async () => {
  const acked = await send(ann, 'acked before the death');
  expect(acked.answer.ok).toBe(true);
  const ids = Array.from({ length: 20 }, (_, n) => `dead-${n}`);
  const under = Promise.all(ids.slice(0, 10).map((id) => send(ann, id)));
  await postgres.kill();
  for (const answered of await under) if (!answered.answer.ok) expectRetryable(answered);
  for (const answered of await Promise.all(ids.map((id) => send(ann, id)))) expectRetryable(answered);
  await postgres.start();
  await Promise.all(ids.map((id) => resend(ann, id)));
  await expectOnceAndHeard(['before', 'acked before the death', ...ids]);
  expect([ann.socket.connected, bob.socket.connected]).toEqual([true, true]);
}, 90_000);
