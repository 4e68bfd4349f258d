import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  Ack,
  ClientEvents,
  JoinResult,
  Message,
  MessagePage,
  SendResult,
} from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { randomOf, type Random } from '../support/random.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

const ROUNDS = 50;

let server: TestServer;
let made = 0;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false', STREAM_MAX_PER_USER: '100' } });
});

afterAll(() => stopCleanly(server));

const newId = (): string => `c-${(made += 1)}`;

function connect(userId: string, transport: 'websocket' | 'polling' = 'websocket'): Promise<TestClient> {
  return TestClient.connect(server.url, userId, { acks: true, transports: [transport] });
}

const send = (client: TestClient, conversationId: string, content: string, more = {}): Promise<SendResult> =>
  client.ask('message:send', { conversationId, clientMessageId: content, content, respond: false, ...more });

describe('Two joins of a new conversation at once, as two tabs or React’s Strict Mode send them', () => {
  test('on one connection: both succeed, and the connection hears what is sent', async () => {
    const [ann, tab] = await Promise.all([connect('ann'), connect('ann')]);
    for (let round = 0; round < ROUNDS; round += 1) {
      const conversationId = newId();
      const joins = await Promise.all([1, 2].map(() => ann.raw('conversation:join', { conversationId })));
      expect(joins.map(({ ok }) => ok)).toEqual([true, true]);
      await send(tab, conversationId, 'hello');
      await ann.waitFor('message:new', (message) => message.conversationId === conversationId);
    }
  });

  test('on two connections: both succeed, and both hear what is sent', async () => {
    const [ann, tab, third] = await Promise.all([connect('bea'), connect('bea'), connect('bea')]);
    for (let round = 0; round < ROUNDS; round += 1) {
      const conversationId = newId();
      const joins = await Promise.all([ann, tab].map((c) => c.raw('conversation:join', { conversationId })));
      expect(joins.map(({ ok }) => ok)).toEqual([true, true]);
      await send(third, conversationId, 'hello');
      await Promise.all(
        [ann, tab].map((c) => c.waitFor('message:new', (m) => m.conversationId === conversationId)),
      );
    }
  });
});

describe('Events of one connection about one conversation take effect in the order they were sent', () => {
  test('leave, then join at once, also where the connection had not joined: it hears what is sent', async () => {
    const [ann, tab] = await Promise.all([connect('cid'), connect('cid')]);
    for (let round = 0; round < ROUNDS; round += 1) {
      const conversationId = newId();
      await tab.ask('conversation:join', { conversationId });
      const [left, joined] = await Promise.all([
        ann.raw('conversation:leave', { conversationId }),
        ann.raw('conversation:join', { conversationId }),
      ]);
      expect([left.ok, joined.ok]).toEqual([true, true]);
      await send(tab, conversationId, 'hello');
      await ann.waitFor('message:new', (message) => message.conversationId === conversationId);
    }
  });

  test.each(['websocket', 'polling'] as const)(
    'join, twenty sends with and without an answer, an ack and a history at once over %s',
    async (transport) => {
      const dan = await connect('dan', transport);
      const conversationId = newId();
      const contents = Array.from({ length: 20 }, (_, n) => `message ${n}`);
      const joined = dan.raw('conversation:join', { conversationId });
      const sends = contents.map((content, n) =>
        send(dan, conversationId, content, n % 7 === 0 ? { respond: true, stream: false } : {}),
      );
      const acked = dan.raw('message:ack', { conversationId, seq: 10, read: true });
      const page = dan.ask('message:history', { conversationId, limit: 200 });
      const [stored, { messages }, ...acks] = await Promise.all([Promise.all(sends), page, joined, acked]);
      expect(acks.map(({ ok }) => ok)).toEqual([true, true]);
      const seqs = stored.map(({ message }) => message.seq);
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      expect(messages.filter(({ role }) => role === 'user').map(({ content }) => content)).toEqual(contents);
    },
  );

  test('typing, then a message at once: the indicator ends with the message', async () => {
    const [eve, peer] = await Promise.all([connect('eve'), connect('pia')]);
    const conversationId = newId();
    await peer.ask('conversation:join', { conversationId, access: 'link' });
    await eve.ask('conversation:join', { conversationId });
    await eve.ask('conversation:leave', { conversationId });
    for (let round = 0; round < 10; round += 1) {
      const typing = eve.raw('typing:start', { conversationId });
      await Promise.all([typing, send(eve, conversationId, `text ${round}`)]);
      const { typing: typists } = await peer.ask('conversation:join', { conversationId });
      expect(typists).toEqual([]);
    }
  });

  test('watch, then unwatch at once: nothing is watched', async () => {
    const [flo, peer] = await Promise.all([connect('flo'), connect('pat')]);
    const conversationId = newId();
    await peer.ask('conversation:join', { conversationId, access: 'link' });
    await flo.ask('conversation:join', { conversationId });
    for (let round = 0; round < 10; round += 1) {
      const userIds = ['pat'];
      const watched = flo.ask('presence:watch', { userIds });
      const unwatched = flo.ask('presence:unwatch', { userIds });
      expect([(await watched).presence.length, (await unwatched).presence]).toEqual([1, []]);
    }
  });

  test(
    'any sequence of joins, leaves, sends, histories and acks at once has the results of one after the other',
    { timeout: 60_000 },
    async () => {
      for (let seed = 1; seed <= 12; seed += 1) {
        const calls = sequence(randomOf(seed));
        const inTurn = await run(calls, 'in turn');
        expect(await run(calls, 'at once'), `seed ${seed}: ${JSON.stringify(calls)}`).toEqual(inTurn);
      }
    },
  );
});

interface Call {
  event: keyof ClientEvents;
  /** Which of two conversations. */
  conversation: 0 | 1;
  payload: object;
}

function sequence(random: Random): Call[] {
  return Array.from({ length: 4 + random.below(20) }, (_, n): Call => {
    const conversation = random.below(2) as 0 | 1;
    switch (random.below(5)) {
      case 0:
        return { event: 'conversation:join', conversation, payload: {} };
      case 1:
        return { event: 'conversation:leave', conversation, payload: {} };
      case 2:
        return { event: 'message:history', conversation, payload: {} };
      case 3:
        return {
          event: 'message:ack',
          conversation,
          payload: { seq: 1 + random.below(6), read: random.below(2) === 0 },
        };
      default: {
        const clientMessageId = `m${n - random.below(2)}`;
        return {
          event: 'message:send',
          conversation,
          payload: { clientMessageId, content: `${n}`, respond: false },
        };
      }
    }
  });
}

type AnyAck = Ack<Partial<JoinResult & MessagePage & SendResult>>;

/** Sends `calls` on a connection of a new user about two new conversations. Returns all results, and what was left. */
async function run(calls: readonly Call[], mode: 'in turn' | 'at once'): Promise<unknown> {
  const conversationIds = [newId(), newId()] as const;
  const client = await connect(`user-${conversationIds[0]}`);
  const acks: AnyAck[] = [];
  const call = ({ event, conversation, payload }: Call): Promise<AnyAck> =>
    client.raw<AnyAck>(event, { conversationId: conversationIds[conversation], ...payload });
  if (mode === 'at once') acks.push(...(await Promise.all(calls.map(call))));
  else for (const one of calls) acks.push(await call(one));
  const left = [];
  for (const conversationId of conversationIds) left.push(await leftIn(client, conversationId));
  client.close();
  return { acks: acks.map((ack) => shapeOf(ack)), left };
}

/** Returns whether the connection hears the conversation, and the user's positions. */
async function leftIn(client: TestClient, conversationId: string): Promise<unknown> {
  const [tab, witness] = await Promise.all([connect(client.userId), connect(client.userId)]);
  const joined = await tab.raw<AnyAck>('conversation:join', { conversationId });
  await witness.ask('conversation:join', { conversationId });
  await send(tab, conversationId, 'last');
  const isLast = (message: Message): boolean =>
    message.conversationId === conversationId && message.content === 'last';
  // Everybody in the room is sent it at once, and what comes after it is read after it.
  await witness.waitFor('message:new', isLast);
  await client.raw('ping', null);
  for (const one of [tab, witness]) one.close();
  return { heard: client.all('message:new').some(isLast), joined: shapeOf(joined) };
}

function shapeOf(ack: AnyAck): unknown {
  if (!ack.ok) return ack.error.code;
  const [member] = ack.members ?? [];
  return {
    lastSeq: ack.lastSeq,
    messages: ack.messages?.map(({ seq, content }) => [seq, content]),
    sent: ack.message && [ack.message.seq, ack.message.content, ack.duplicate],
    positions: member && [member.deliveredSeq, member.readSeq],
  };
}
