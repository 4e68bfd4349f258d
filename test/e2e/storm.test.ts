import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { LogClient } from '../support/log-client.js';
import { randomOf, seedOfRun, type Random } from '../support/random.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const USERS = 50;
const CONVERSATIONS = 20;
const SENDS = 5000;
const KILLS = 3;
const SENDS_AT_ONCE = 4;
/** Shares of all sends: those that are followed by a lost connection, and those that are sent twice at once. */
const CUTS = 0.03;
const TWICE = 0.05;

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'error' } });
});

afterAll(async () => {
  await server.stop();
});

interface StoredMessage {
  conversation_id: string;
  id: string;
  seq: number;
  sender_id: string;
  client_message_id: string;
  content: string;
}

interface Storm {
  random: Random;
  clients: LogClient[];
  /** Ids of all messages that were sent, as `conversation sender clientMessageId`. */
  sent: Set<string>;
  done: number;
  /** Resolves as soon as so many sends are acked. */
  until(count: number): Promise<void>;
}

test('5,000 sends of 50 users through lost connections, resends and three kills: each once, in order, to everyone (P1, P2, P3, P8)', async () => {
  const seed = seedOfRun();
  onTestFailed(() => console.error(`The storm failed with TEST_SEED=${seed}.\n${server.output()}`));
  const random = randomOf(seed);
  const clients = await startClients(random);
  try {
    const storm = stormOf(random, clients);
    const users = clients.filter(
      (client, index) => clients.findIndex((c) => c.userId === client.userId) === index,
    );
    const sending = Promise.all(users.map((client) => sendAll(storm, client)));
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await Promise.race([storm.until((SENDS * kill) / (KILLS + 1)), sending]);
      await server.kill();
      server = await server.restart();
    }
    await sending;
    await expectEveryLog(clients, storm.sent);
    await eventually(async () => (await waiting()) === 0, 'an empty queue of everyone');
    expect(clients.flatMap(({ refusals }) => refusals)).toEqual([]);
  } finally {
    for (const client of clients) client.stop();
  }
}, 240_000);

/** Every user with conversations of its own choice: most join them, some live on the queue; some have a second device. */
async function startClients(random: Random): Promise<LogClient[]> {
  const all = Array.from({ length: CONVERSATIONS }, (_, n) => `storm-${n}`);
  const starts = Array.from({ length: USERS }, async (_, n) => {
    const userId = `user-${n}`;
    // Every conversation has someone: the others come by chance.
    const conversationIds = [...new Set([all[n % CONVERSATIONS] as string, ...random.sample(all, 3)])];
    const joins = n % 5 !== 0;
    await enter(userId, conversationIds);
    const devices = joins && n % 4 === 0 ? ['phone', 'laptop'] : ['phone'];
    return Promise.all(
      devices.map((deviceId) => LogClient.start(server.url, { userId, deviceId, conversationIds, joins })),
    );
  });
  return (await Promise.all(starts)).flat();
}

/** Makes a user a member of conversations that are open to all. */
async function enter(userId: string, conversationIds: string[]): Promise<void> {
  const client = await TestClient.connect(server.url, userId, { acks: true });
  for (const conversationId of conversationIds) {
    await client.ask('conversation:join', { conversationId, access: 'link' });
  }
  client.close();
}

function stormOf(random: Random, clients: LogClient[]): Storm {
  const waiters: { count: number; resolve: () => void }[] = [];
  let done = 0;
  return {
    random,
    clients,
    sent: new Set(),
    get done() {
      return done;
    },
    set done(count) {
      done = count;
      for (const waiter of waiters) if (done >= waiter.count) waiter.resolve();
    },
    until: (count) => new Promise((resolve) => void waiters.push({ count, resolve })),
  };
}

async function sendAll(storm: Storm, client: LogClient): Promise<void> {
  let left = SENDS / USERS;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await sendOne(storm, client, left);
      storm.done += 1;
    }
  };
  await Promise.all(Array.from({ length: SENDS_AT_ONCE }, worker));
}

async function sendOne({ random, sent }: Storm, client: LogClient, n: number): Promise<void> {
  const conversationIds = [...client.logs.keys()];
  const conversationId = conversationIds[random.below(conversationIds.length)] as string;
  const clientMessageId = `${client.userId}-${n}`;
  sent.add(`${conversationId} ${client.userId} ${clientMessageId}`);
  const payload = { conversationId, clientMessageId, content: `“${clientMessageId}” ✓`, respond: false };
  const sends = [client.send(payload)];
  if (random.chance(TWICE)) sends.push(client.send(payload));
  if (random.chance(CUTS)) client.cut();
  const ids = (await Promise.all(sends)).map(({ id }) => id);
  expect(new Set(ids).size).toBe(1);
}

async function expectEveryLog(clients: LogClient[], sent: ReadonlySet<string>): Promise<void> {
  const logs = await storedLogs();
  const all = [...logs.values()].flat();
  expect(new Set(all.map((m) => `${m.conversation_id} ${m.sender_id} ${m.client_message_id}`))).toEqual(sent);
  expect(all).toHaveLength(SENDS);
  for (const log of logs.values())
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
  for (const client of clients) {
    for (const [conversationId, { messages }] of client.logs) {
      const stored = logs.get(conversationId) ?? [];
      const what = `${client.userId} has ${stored.length} messages of ${conversationId}`;
      await eventually(() => messages.length >= stored.length, what);
    }
  }
  for (const client of clients) {
    for (const [conversationId, { messages, contradictions }] of client.logs) {
      expect(contradictions).toEqual([]);
      const seen = messages.map((m) => [m.seq, m.id, m.senderId, m.clientMessageId, m.content]);
      const stored = logs.get(conversationId) ?? [];
      expect(seen).toEqual(stored.map((m) => [m.seq, m.id, m.sender_id, m.client_message_id, m.content]));
    }
  }
}

async function storedLogs(): Promise<Map<string, StoredMessage[]>> {
  return withClient(server.databaseUrl, async (client) => {
    const { rows } = await client.query<StoredMessage>(
      `select conversation_id, id, seq::int, sender_id, client_message_id, content from messages
       order by conversation_id collate "C", seq`,
    );
    const logs = new Map<string, StoredMessage[]>();
    for (const row of rows) logs.set(row.conversation_id, [...(logs.get(row.conversation_id) ?? []), row]);
    return logs;
  });
}

async function waiting(): Promise<number> {
  return withClient(server.databaseUrl, async (client) => {
    const { rows } = await client.query<{ n: number }>('select count(*)::int as n from deliveries');
    return rows[0]?.n ?? -1;
  });
}
