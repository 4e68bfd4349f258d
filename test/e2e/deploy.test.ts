import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { isTerminal, type Chunk } from '../../src/protocol/index.js';
import { eventually } from '../support/eventually.js';
import { LogClient } from '../support/log-client.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser, type StreamResponse } from '../support/stream-readers.js';

const ROOMS = 200;
/** How many come at once while the rooms are filled. */
const BATCH = 20;
const MEMBERS = 10;
const QUESTION = 'How do I use my own PostgreSQL?';
const PAUSE_MS = 5000;
/** For a machine that others use too. */
const PATIENCE_MS = 90_000;
const ENV = {
  // All connect from one address. The spread is the default's: what an operator gets.
  ...{ RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'error', SHUTDOWN_SPREAD_MS: '5000' },
  // Long enough to be under way when the process goes; few chunks, since clients and server share two cores.
  ...{ GUIDE_WORDS_PER_SECOND: '15', STREAM_CHUNK_DELAY_MS: '500' },
};

let server: TestServer;
const clients: LogClient[] = [];

afterEach(async () => {
  for (const client of clients) client.stop();
  await server.stop();
});

interface Room {
  id: string;
  members: LogClient[];
  /** What the first member heard of the answer live. */
  heard: Chunk[];
}

async function openRoom(index: number): Promise<Room> {
  const id = `room-${index}`;
  const heard: Chunk[] = [];
  const owner = await HttpUser.of(server.url, `${id}-0`);
  await owner.json('POST', '/api/conversations', { id, access: 'link' });
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, member) =>
      LogClient.start(server.url, {
        ...{ userId: `${id}-${member}`, deviceId: 'phone', conversationIds: [id], joins: true },
        ...{ backsOffByDefault: true, ...(member === 0 && { onChunk: (chunk) => void heard.push(chunk) }) },
      }),
    ),
  );
  clients.push(...members);
  await eventually(() => members.every(({ isBack }) => isBack), `all of ${id} have joined`);
  return { id, members, heard };
}

/** Asks over HTTP and reads the answer to its end, over however many connections, from where the last one ended. */
async function readAnswer({ id }: Room, begun: () => void): Promise<Chunk[]> {
  const user = await HttpUser.of(server.url, `${id}-0`);
  const question = { conversationId: id, message: QUESTION, clientMessageId: 'question' };
  let response = await opened(() => user.ask('http', question));
  const { streamId } = response;
  begun();
  const chunks: Chunk[] = [];
  for (;;) {
    await response.closed();
    chunks.push(...response.chunks);
    const last = chunks.at(-1);
    if (last && isTerminal(last)) return chunks;
    response = await opened(() => user.attach('http', streamId, { from: chunks.length }));
  }
}

/** Asks again until the answer is a stream. */
async function opened(open: () => Promise<StreamResponse>): Promise<StreamResponse> {
  let response: StreamResponse | undefined;
  await eventually(
    async () => {
      response = await open().catch(() => undefined);
      return response?.status === 200;
    },
    'an answer can be read',
    PATIENCE_MS,
  );
  return response as StreamResponse;
}

/** Sends one message after the other until it is told to stop; gives the ids of those that were acked. */
async function sendOn({ id, members }: Room, until: () => boolean): Promise<string[]> {
  const acked: string[] = [];
  for (let n = 0; !until(); n += 1) {
    const sender = members[1 + (n % (MEMBERS - 1))] as LogClient;
    const clientMessageId = `${id}-m${n}`;
    await sender.send({ conversationId: id, clientMessageId, content: `Message ${n}`, respond: false });
    acked.push(clientMessageId);
    await delay(PAUSE_MS);
  }
  return acked;
}

/** Whether nobody listens there any more. */
function isFree(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
    socket.once('connect', () => socket.destroy());
  });
}

function tell(outages: readonly number[]): void {
  const sorted = outages.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    `${Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN)} ms`;
  console.log(
    `Back after a deploy, ${sorted.length} clients: p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, max ${at(1)}`,
  );
}

test(`A deploy under ${ROOMS * MEMBERS} clients and ${ROOMS} running answers: all come back, nothing acked is lost or doubled, every answer is whole (P1, P2, P3, P5, P12)`, async () => {
  server = await startServer({ env: ENV });
  const rooms: Room[] = [];
  for (let index = 0; index < ROOMS; index += BATCH) {
    rooms.push(...(await Promise.all(Array.from({ length: BATCH }, (_, n) => openRoom(index + n)))));
  }
  let begun = 0;
  let isOver = false;
  const answers = rooms.map((room) => readAnswer(room, () => (begun += 1)));
  void Promise.allSettled(answers);
  await eventually(() => begun === ROOMS, 'all answers have begun', PATIENCE_MS);
  const sends = rooms.map((room) => sendOn(room, () => isOver));
  const old = server;
  const signalled = performance.now();
  const exit = old.terminate().then((code) => ({ code, afterMs: performance.now() - signalled }));
  // As a supervisor does that has the next process ready: it takes the port as soon as it is free.
  await eventually(() => isFree(old.url), 'the port is free');
  server = await old.restart();
  const readyAfterMs = performance.now() - signalled;
  const { code, afterMs } = await exit;
  expect(code).toBe(0);
  await eventually(
    () => clients.every(({ outages }) => outages.length > 0),
    'every client is back',
    PATIENCE_MS,
  );
  console.log(`After SIGTERM: next ready ${Math.round(readyAfterMs)} ms, exit ${Math.round(afterMs)} ms`);
  tell(clients.flatMap(({ outages }) => outages));
  isOver = true;
  const read = await Promise.all(answers);
  const acked = await Promise.all(sends);
  for (const [index, room] of rooms.entries()) {
    await expectSame(room, { ids: acked[index] ?? [], chunks: read[index] ?? [] });
  }
}, 300_000);

interface Expected {
  /** `clientMessageId` of all messages that were acked. */
  ids: readonly string[];
  chunks: readonly Chunk[];
}

async function expectSame({ id, members, heard }: Room, { ids, chunks }: Expected): Promise<void> {
  // With the question and its answer.
  const sent = ids.length + 2;
  const logs = members.map(
    (member) => member.logs.get(id) as NonNullable<ReturnType<typeof member.logs.get>>,
  );
  await eventually(
    () => logs.every(({ lastSeq }) => lastSeq === sent),
    `all of ${id} have ${sent} messages`,
    PATIENCE_MS,
  );
  const whole = JSON.stringify(logs[0]?.messages);
  for (const [index, log] of logs.entries()) {
    expect(log.contradictions).toEqual([]);
    expect(JSON.stringify(log.messages)).toBe(whole);
    expect(members[index]?.refusals).toEqual([]);
  }
  const text = answerOf(chunks);
  const messages = logs[0]?.messages ?? [];
  const own = messages
    .map(({ clientMessageId }) => clientMessageId)
    .filter((name) => ids.includes(name ?? ''));
  expect(own).toEqual(ids);
  expect(messages.filter(({ role }) => role === 'assistant').map(({ content }) => content)).toEqual([text]);
  for (const chunk of heard) expect(chunk).toEqual(chunks[chunk.sequence]);
}
