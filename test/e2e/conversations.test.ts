import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode, Message, MessagePage, Problem } from '../../src/protocol/index.js';
import { RefusedError, TestClient, tokenFor } from '../support/client.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false' } });
});
afterAll(async () => {
  await stopCleanly(server);
});

async function http(userId: string, method: string, path: string, body?: object): Promise<Response> {
  const authorization = `Bearer ${await tokenFor(userId)}`;
  return fetch(`${server.url}/api/conversations${path}`, {
    method,
    headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
}

/** The code of the problem that the request ends in. */
async function problem(userId: string, method: string, path: string, body?: object): Promise<ErrorCode> {
  const response = await http(userId, method, path, body);
  expect(response.ok).toBe(false);
  return ((await response.json()) as Problem).code;
}

async function codeOf(refused: Promise<unknown>): Promise<ErrorCode> {
  const error = await refused.then(
    () => expect.unreachable('it was accepted'),
    (thrown: unknown) => thrown,
  );
  return (error as RefusedError).error.code;
}

const connect = (userId: string): Promise<TestClient> => TestClient.connect(server.url, userId);

/** Clients that have joined; the first owns the conversation and let the others in. */
async function conversation(id: string, ...userIds: string[]): Promise<TestClient[]> {
  const clients = await Promise.all(userIds.map(connect));
  const [owner] = userIds as [string];
  await clients[0]!.ask('conversation:join', { conversationId: id });
  for (const userId of userIds.slice(1)) {
    expect((await http(owner, 'PUT', `/${id}/members/${userId}`)).status).toBe(204);
  }
  for (const client of clients.slice(1)) await client.ask('conversation:join', { conversationId: id });
  return clients;
}

let sent = 0;
function say(client: TestClient, conversationId: string, content = 'Hello'): Promise<{ message: Message }> {
  sent += 1;
  return client.ask('message:send', { conversationId, clientMessageId: `m${sent}`, content, respond: false });
}

describe('Creating and joining', () => {
  test('POST creates; an id that is taken is conflict, by whomever', async () => {
    const response = await http('alice', 'POST', '', { id: 'made', title: 'Made', access: 'link' });
    expect(response.status).toBe(201);
    const made = (await response.json()) as object;
    expect(made).toEqual({
      ...{ id: 'made', title: 'Made', access: 'link' },
      createdAt: expect.any(String) as string,
      lastSeq: 0,
    });
    for (const userId of ['alice', 'bob'])
      expect(await problem(userId, 'POST', '', { id: 'made' })).toBe('conflict');
    expect(await (await http('alice', 'GET', '/made')).json()).toEqual(made);
  });

  test('POST without an id makes one that cannot be guessed', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => ((await (await http('alice', 'POST', '')).json()) as { id: string }).id),
    );
    expect(ids[0]).toMatch(/^[\w-]{22}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('Many create the same at once: one owns it, the others are refused', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, (_, n) => connect(`racer-${n}`)));
    const answers = await Promise.all(
      clients.map((c) => c.raw('conversation:join', { conversationId: 'raced' })),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    const refused = answers.flatMap((answer) => (answer.ok ? [] : [answer.error.code]));
    expect(refused).toEqual(Array.from({ length: 7 }, () => 'not_found'));
  });

  test('What is foreign and what is missing answer alike, on every event and route (P10)', async () => {
    const [alice] = await conversation('private', 'alice');
    await say(alice!, 'private');
    const mallory = await connect('mallory');
    expect(await codeOf(mallory.ask('conversation:join', { conversationId: 'private' }))).toBe('not_found');
    for (const conversationId of ['private', 'nowhere']) {
      const events: [string, object][] = [
        ['conversation:leave', {}],
        ['message:send', { clientMessageId: 'x', content: 'x', respond: false }],
        ['message:send', { clientMessageId: 'y', content: 'x' }],
        ['message:ack', { seq: 1 }],
        ['message:history', {}],
      ];
      for (const [event, fields] of events) {
        const answer = await mallory.raw(event, { conversationId, ...fields });
        expect(answer, event).toMatchObject({ ok: false, error: { code: 'not_found' } });
      }
      const routes: [string, string, object?][] = [
        ['GET', `/${conversationId}`],
        ['PATCH', `/${conversationId}`, { title: 'x' }],
        ['DELETE', `/${conversationId}`],
        ['PUT', `/${conversationId}/members/mallory`],
        ['DELETE', `/${conversationId}/members/alice`],
        ['DELETE', `/${conversationId}/members/mallory`],
        ['GET', `/${conversationId}/messages`],
        ['POST', `/${conversationId}/messages`, { clientMessageId: 'x', content: 'x', respond: false }],
      ];
      for (const [method, path, body] of routes) {
        expect(await problem('mallory', method, path, body), `${method} ${path}`).toBe('not_found');
      }
    }
  });

  test('Access by link admits every user who knows the id, while it is set', async () => {
    const [alice] = await conversation('by-link', 'alice');
    const [bob, carol] = await Promise.all([connect('bob'), connect('carol')]);
    expect(await codeOf(bob.ask('conversation:join', { conversationId: 'by-link' }))).toBe('not_found');
    expect((await http('alice', 'PATCH', '/by-link', { access: 'link' })).status).toBe(200);
    expect(await alice!.waitFor('conversation:changed')).toEqual({
      conversationId: 'by-link',
      change: 'updated',
    });
    const joined = await bob.ask('conversation:join', { conversationId: 'by-link', access: 'members' });
    expect(joined.conversation.access).toBe('link');
    expect(joined.members.map(({ userId, role }) => [userId, role])).toEqual([
      ['alice', 'owner'],
      ['bob', 'member'],
    ]);
    await alice!.waitFor(
      'conversation:changed',
      ({ change, userId }) => change === 'added' && userId === 'bob',
    );
    expect(await problem('bob', 'PATCH', '/by-link', { access: 'members' })).toBe('forbidden');
    await http('alice', 'PATCH', '/by-link', { access: 'members' });
    expect(await codeOf(carol.ask('conversation:join', { conversationId: 'by-link' }))).toBe('not_found');
    await bob.ask('conversation:join', { conversationId: 'by-link' });
  });
});

describe('Members', () => {
  test('A removed member receives nothing more, whatever is sent meanwhile, and may do nothing (P10)', async () => {
    for (let round = 0; round < 8; round += 1) {
      const id = `removal-${round}`;
      const [alice, bob] = (await conversation(id, 'alice', 'bob')) as [TestClient, TestClient];
      const numbered: number[] = [];
      const storm = Array.from({ length: 40 }, async (_, n) => {
        if (n === 20) await http('alice', 'DELETE', `/${id}/members/bob`);
        numbered.push((await say(alice, id)).message.seq);
      });
      await bob.waitFor(
        'conversation:changed',
        ({ change, conversationId }) => change === 'removed' && conversationId === id,
      );
      await Promise.all(storm);
      await bob.ask('ping', null);
      const heard = bob
        .all('message:new')
        .filter(({ conversationId }) => conversationId === id)
        .map(({ seq }) => seq);
      // A beginning of the log, and nothing behind the removal.
      expect(heard).toEqual(heard.map((_, n) => n + 1));
      const atRemoval = bob.heard.findIndex(
        ({ payload }) => (payload as { change?: string }).change === 'removed',
      );
      expect(bob.heard.slice(atRemoval + 1).filter(({ event }) => event !== 'connection:status')).toEqual([]);
      expect(numbered.toSorted((a, b) => a - b)).toEqual(numbered.map((_, n) => n + 1));
      expect(await codeOf(bob.ask('message:history', { conversationId: id }))).toBe('not_found');
      expect(await codeOf(bob.ask('conversation:join', { conversationId: id }))).toBe('not_found');
      alice.close();
      bob.close();
    }
  });

  test('A repeat of one’s message after the removal is not_found (P2)', async () => {
    const [, bob] = (await conversation('repeat', 'alice', 'bob')) as [TestClient, TestClient];
    const payload = { conversationId: 'repeat', clientMessageId: 'mine', content: 'x', respond: false };
    await bob.ask('message:send', payload);
    await http('alice', 'DELETE', '/repeat/members/bob');
    expect(await codeOf(bob.ask('message:send', payload))).toBe('not_found');
  });

  test('PUT is idempotent; only the owner adds and removes members; a member can leave; the only owner cannot', async () => {
    const [alice, bob] = (await conversation('rules', 'alice', 'bob')) as [TestClient, TestClient];
    expect((await http('alice', 'PUT', '/rules/members/bob')).status).toBe(204);
    expect(await problem('bob', 'PUT', '/rules/members/carol')).toBe('forbidden');
    expect(await problem('bob', 'DELETE', '/rules/members/alice')).toBe('forbidden');
    expect(await problem('bob', 'DELETE', '/rules')).toBe('forbidden');
    expect(await problem('alice', 'DELETE', '/rules/members/carol')).toBe('not_found');
    expect(await problem('alice', 'DELETE', '/rules/members/alice')).toBe('conflict');
    expect((await http('bob', 'DELETE', '/rules/members/bob')).status).toBe(204);
    await alice.waitFor(
      'conversation:changed',
      ({ change, userId }) => change === 'removed' && userId === 'bob',
    );
    expect(await problem('bob', 'DELETE', '/rules/members/bob')).toBe('not_found');
    await say(alice, 'rules');
    await bob.ask('ping', null);
    expect(bob.all('message:new')).toEqual([]);
  });

  test('conversation:leave stops hearing, not membership', async () => {
    const [alice, bob] = (await conversation('left', 'alice', 'bob')) as [TestClient, TestClient];
    await bob.ask('conversation:leave', { conversationId: 'left' });
    await bob.ask('conversation:leave', { conversationId: 'left' });
    const { message } = await say(alice, 'left');
    await bob.ask('ping', null);
    expect(bob.all('message:new')).toEqual([]);
    expect((await bob.ask('conversation:join', { conversationId: 'left', afterSeq: 0 })).messages).toEqual([
      message,
    ]);
  });

  test('A deleted conversation is gone for all, and its id can be used anew with other members', async () => {
    const users = ['alice', 'bob', 'carol', 'dave'];
    const clients = await conversation('deleted', ...users);
    await say(clients[0]!, 'deleted');
    await clients[3]!.waitFor('message:new');
    expect((await http('alice', 'DELETE', '/deleted')).status).toBe(204);
    for (const client of clients) {
      await client.waitFor('conversation:changed', ({ change }) => change === 'deleted');
      expect(await codeOf(client.ask('message:history', { conversationId: 'deleted' }))).toBe('not_found');
    }
    const [erin, frank] = (await conversation('deleted', 'erin', 'frank')) as [TestClient, TestClient];
    const { message } = await say(erin, 'deleted', 'A new beginning');
    expect(message.seq).toBe(1);
    expect(await frank.waitFor('message:new')).toEqual(message);
    const reply = await say(frank, 'deleted', 'Indeed');
    expect(await erin.waitFor('message:new')).toEqual(reply.message);
    for (const client of clients) {
      await client.ask('ping', null);
      expect(client.all('message:new').filter(({ content }) => content !== 'Hello')).toEqual([]);
    }
  });
});

describe('The log', () => {
  test('Two senders send at full speed: all members receive all messages in order without gaps, and live and history agree byte for byte (P3)', async () => {
    const [alice, bob, carol] = await conversation('storm', 'alice', 'bob', 'carol');
    const metadata = { z: 1, 10: 'ten', a: [null, 1.5e300, -0, 'ü\u2028'], '': {} };
    const acks = await Promise.all(
      Array.from({ length: 150 }, (_, n) =>
        (n % 2 ? alice! : bob!).ask('message:send', {
          ...{
            conversationId: 'storm',
            clientMessageId: `s${n}`,
            content: `№ ${n} \r\n\t"\\😀`,
            metadata,
            respond: false,
          },
        }),
      ),
    );
    await carol!.waitFor('message:new', ({ seq }) => seq === 150);
    const { messages } = await carol!.ask('message:history', {
      conversationId: 'storm',
      afterSeq: 0,
      limit: 200,
    });
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, n) => n + 1));
    const log = messages.map((message) => JSON.stringify(message));
    expect(carol!.all('message:new').map((message) => JSON.stringify(message))).toEqual(log);
    for (const { message } of acks) expect(JSON.stringify(message)).toBe(log[message.seq - 1]);
    const times = messages.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted());
    const overHttp = (await (
      await http('bob', 'GET', '/storm/messages?afterSeq=0&limit=200')
    ).json()) as MessagePage;
    expect(JSON.stringify(overHttp.messages)).toBe(`[${log.join()}]`);
  });

  test('Pages go both ways, meet without gap or repeat, and default to the last 50', async () => {
    const [alice] = await conversation('pages', 'alice');
    await Promise.all(Array.from({ length: 120 }, () => say(alice!, 'pages')));
    const page = (query: object): Promise<MessagePage> =>
      alice!.ask('message:history', { conversationId: 'pages', ...query });
    const seqs = ({ messages }: MessagePage): number[] => messages.map(({ seq }) => seq);
    const range = (from: number, to: number): number[] =>
      Array.from({ length: to - from + 1 }, (_, n) => from + n);
    const expected: [object, number[], boolean][] = [
      [{}, range(71, 120), true],
      [{ limit: 200 }, range(1, 120), false],
      [{ afterSeq: 0 }, range(1, 50), true],
      [{ afterSeq: 50, limit: 70 }, range(51, 120), false],
      [{ afterSeq: 119 }, [120], false],
      [{ afterSeq: 120 }, [], false],
      [{ afterSeq: 9999 }, [], false],
      [{ beforeSeq: 71 }, range(21, 70), true],
      [{ beforeSeq: 21 }, range(1, 20), false],
      [{ beforeSeq: 1 }, [], false],
      [{ beforeSeq: 9999, limit: 1 }, [120], true],
    ];
    for (const [query, wanted, hasMore] of expected) {
      const answer = await page(query);
      expect([seqs(answer), answer.hasMore], JSON.stringify(query)).toEqual([wanted, hasMore]);
    }
    const joined = await alice!.ask('conversation:join', { conversationId: 'pages' });
    expect([seqs(joined), joined.hasMore, joined.lastSeq]).toEqual([range(71, 120), true, 120]);
    const behind = await alice!.ask('conversation:join', { conversationId: 'pages', afterSeq: 100 });
    expect(seqs(behind)).toEqual(range(101, 120));
  });

  test('A page holds at most 256 KiB, in both directions, and always goes on', async () => {
    const [alice] = await conversation('large', 'alice');
    const content = '😀'.repeat(12_000);
    await Promise.all(Array.from({ length: 14 }, () => say(alice!, 'large', content)));
    const most = Math.floor((256 * 1024) / Buffer.byteLength(content));
    const walk = async (query: (page: MessagePage | undefined) => object): Promise<number[]> => {
      const all: number[] = [];
      for (let page: MessagePage | undefined; page === undefined || page.hasMore;) {
        page = await alice!.ask('message:history', { conversationId: 'large', limit: 200, ...query(page) });
        expect(page.messages.length).toBeLessThanOrEqual(most);
        expect(page.messages.length).toBeGreaterThan(0);
        all.push(...page.messages.map(({ seq }) => seq));
      }
      return all.toSorted((a, b) => a - b);
    };
    const whole = Array.from({ length: 14 }, (_, n) => n + 1);
    expect(await walk((page) => ({ afterSeq: page?.messages.at(-1)?.seq ?? 0 }))).toEqual(whole);
    expect(await walk((page) => (page ? { beforeSeq: page.messages[0]!.seq } : {}))).toEqual(whole);
  });

  test('The sender’s other devices hear what it sends, the sending one does not', async () => {
    const [alice] = await conversation('devices', 'alice');
    const other = await connect('alice');
    await other.ask('conversation:join', { conversationId: 'devices' });
    const { message } = await say(alice!, 'devices');
    expect(await other.waitFor('message:new')).toEqual(message);
    await alice!.ask('ping', null);
    expect(alice!.all('message:new')).toEqual([]);
    const posted = await http('alice', 'POST', '/devices/messages', {
      clientMessageId: 'p',
      content: 'x',
      respond: false,
    });
    expect(posted.status).toBe(201);
    expect(await alice!.waitFor('message:new')).toMatchObject({ seq: 2, clientMessageId: 'p' });
    const again = await http('alice', 'POST', '/devices/messages', {
      clientMessageId: 'p',
      content: 'y',
      respond: false,
    });
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ duplicate: true, message: { seq: 2, content: 'x' } });
  });
});
