import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../src/protocol/index.js';
import { RefusedError, TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const ROUNDS = 25;
const SENDS = 12;

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false', GUIDE_WORDS_PER_SECOND: '40' } });
  await noteRemovals();
});

afterAll(async () => {
  await server.stop();
});

/** Has the database note, in the removal's own transaction, where the log ended: what is later was not to be seen. */
async function noteRemovals(): Promise<void> {
  await withClient(server.databaseUrl, async (client) => {
    await client.query(`
      create table removals (conversation_id text, user_id text, last_seq bigint);
      create function note_removal() returns trigger language plpgsql as $$
      begin
        insert into removals select old.conversation_id, old.user_id, last_seq from conversations where id = old.conversation_id;
        return old;
      end $$;
      create trigger removal before delete on members for each row execute function note_removal()`);
  });
}

async function endFor(conversationId: string, userId: string): Promise<number> {
  return withClient(server.databaseUrl, async (client) => {
    const { rows } = await client.query<{ last_seq: string }>(
      'select last_seq from removals where conversation_id = $1 and user_id = $2',
      [conversationId, userId],
    );
    return Number(rows[0]?.last_seq);
  });
}

function call(route: Parameters<typeof http>[1], userId: string): Promise<Response> {
  return http(server.url, route, { userId });
}

async function send(
  client: TestClient,
  conversationId: string,
  text: string,
  respond = false,
): Promise<Message> {
  const payload = { conversationId, clientMessageId: text, content: text, respond };
  return (await client.ask('message:send', payload)).message;
}

/** Everything of one conversation that a member came to see, by whatever road. */
class Witness {
  readonly seen: number[] = [];

  private constructor(
    readonly client: TestClient,
    private readonly conversationId: string,
  ) {}

  static async connect(userId: string, conversationId: string): Promise<Witness> {
    const deliver = (_delivery: object, done: () => void): void => done();
    const client = await TestClient.connect(server.url, userId, {
      acks: true,
      on: { 'queue:deliver': deliver },
    });
    return new Witness(client, conversationId);
  }

  /** Reads and joins again and again until it is told that there is nothing here. */
  async pry(): Promise<void> {
    const { conversationId } = this;
    for (;;) {
      try {
        const pages = await Promise.all([
          this.client.ask('message:history', { conversationId, limit: 5 }),
          this.client.ask('conversation:join', { conversationId }),
        ]);
        for (const { messages } of pages) this.seen.push(...messages.map(({ seq }) => seq));
      } catch (error) {
        if (error instanceof RefusedError && error.error.code === 'not_found') return;
        throw error;
      }
    }
  }

  /** What came by itself, by `message:new` and `queue:deliver`. */
  heard(): number[] {
    const queued = this.client
      .all('queue:deliver')
      .flatMap(({ items }) => items.map(({ message }) => message));
    return [...this.client.all('message:new'), ...queued]
      .filter(
        (message): message is Message => 'seq' in message && message.conversationId === this.conversationId,
      )
      .map(({ seq }) => seq);
  }
}

test('Sends race a removal: the removed member is given no message with a later seq, by no road (P10)', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  let raced = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `race-${round}`;
    await ann.ask('conversation:join', { conversationId: id });
    const names = [`joined-${round}`, `away-${round}`, `prying-${round}`];
    for (const name of names)
      expect((await call(`PUT /api/conversations/${id}/members/${name}`, 'ann')).status).toBe(204);
    const witnesses = await Promise.all(names.map((name) => Witness.connect(name, id)));
    const [joined, , prying] = witnesses as [Witness, Witness, Witness];
    await joined.client.ask('conversation:join', { conversationId: id });
    const prys = prying.pry();
    const sends = Array.from({ length: SENDS }, (_, n) => send(ann, id, `m${n}`));
    const removals = names.map((name) => call(`DELETE /api/conversations/${id}/members/${name}`, 'ann'));
    for (const { status } of await Promise.all(removals)) expect(status).toBe(204);
    const { seq: last } = (await Promise.all([...sends, send(ann, id, 'after')])).at(-1) as Message;
    await prys;
    for (const [index, witness] of witnesses.entries()) {
      const { client, seen } = witness;
      await client.ask('ping', null); // What was written to the socket before this has come.
      const end = await endFor(id, names[index] as string);
      raced += end > 0 && end < last ? 1 : 0;
      expect(
        Math.max(0, ...seen, ...witness.heard()),
        `${names[index]} in round ${round}`,
      ).toBeLessThanOrEqual(end);
      client.close();
    }
  }
  console.log(`${raced} of ${ROUNDS * 3} removals came between the messages.`);
  expect(raced).toBeGreaterThan(0);
  ann.close();
}, 90_000);

test('Chunks race a removal: none is shown once it is acked, and the answer goes on for the others (P10)', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  for (let round = 0; round < 8; round += 1) {
    const id = `chunks-${round}`;
    const bob = await TestClient.connect(server.url, `bob-${round}`);
    await ann.ask('conversation:join', { conversationId: id, access: 'link' });
    await bob.ask('conversation:join', { conversationId: id });
    await send(ann, id, 'What is the queue?', true);
    const first = await bob.waitFor('stream:chunk', ({ type }) => type === 'content');
    expect((await call(`DELETE /api/conversations/${id}/members/bob-${round}`, 'ann')).status).toBe(204);
    await bob.ask('ping', null);
    const before = bob.all('stream:chunk').length;
    await ann.ask('stream:cancel', { streamId: first.streamId });
    await ann.waitFor('message:new', ({ streamId }) => streamId === first.streamId);
    await bob.ask('ping', null);
    expect(bob.all('stream:chunk')).toHaveLength(before);
    expect(bob.all('message:new').filter(({ role }) => role === 'assistant')).toEqual([]);
    bob.close();
  }
  ann.close();
}, 60_000);

test('Joins race sends: a joined member stays joined, and receives further messages live', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `joins-${round}`;
    await ann.ask('conversation:join', { conversationId: id, access: 'link' });
    await ann.ask('conversation:leave', { conversationId: id }); // The room begins with its guests.
    const guests = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        TestClient.connect(server.url, `guest-${round}-${n}`, { acks: true }),
      ),
    );
    await Promise.all([
      ...guests.map((guest) => guest.ask('conversation:join', { conversationId: id })),
      ...Array.from({ length: SENDS }, (_, n) => send(ann, id, `m${n}`)),
    ]);
    await send(ann, id, 'last');
    const hasLast = (guest: TestClient): boolean =>
      guest.all('message:new').some(({ content }) => content === 'last');
    await eventually(() => guests.every(hasLast), `the last message at every guest of round ${round}`);
    for (const guest of guests) guest.close();
  }
  ann.close();
}, 90_000);
