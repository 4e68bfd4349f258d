import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SOCKET_PATH, type RefreshResult } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { token, type TokenOptions } from '../support/tokens.js';

const GRACE_MS = 2000;

let server: TestServer;
const clients: TestClient[] = [];

beforeAll(async () => {
  server = await startServer({ env: { TOKEN_EXPIRY_GRACE_MS: String(GRACE_MS) } });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(async () => {
  await stopCleanly(server);
});

async function connect(userId: string, options: TokenOptions = {}): Promise<TestClient> {
  const client = await TestClient.connect(server.url, userId, { token: await token(userId, options) });
  clients.push(client);
  return client;
}

/** Resolves with Socket.IO's reason when the connection has ended. */
function ended(client: TestClient): Promise<string> {
  return new Promise((resolve) => client.socket.once('disconnect', (reason) => resolve(reason)));
}

describe('A token that comes to its end on a live connection', () => {
  test('is announced, and ends the connection for good after a grace', async () => {
    const expiresAt = Date.now() + 1500;
    const alice = await connect('alice', { exp: expiresAt / 1000 });
    const end = ended(alice);
    const notice = await alice.waitFor('auth:expiring');
    expect(Date.parse(notice.expiresAt)).toBe(expiresAt);
    expect((await alice.waitFor('connection:status')).expiresAt).toBe(notice.expiresAt);
    const closing = await alice.waitFor('connection:closing');
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt + GRACE_MS - 5);
    expect(closing).toMatchObject({ code: 'token_expired', retryable: false });
    // With this reason an unmodified client does not come back by itself.
    expect(await end).toBe('io server disconnect');
    expect(alice.all('auth:expiring')).toHaveLength(1);
  });

  test('still serves in its grace, in which auth:refresh saves the connection', async () => {
    const expiresAt = Date.now() + 1000;
    const bob = await connect('bob', { exp: expiresAt / 1000 });
    const other = await connect('other', { exp: expiresAt / 1000 });
    await delay(expiresAt - Date.now() + 5);
    expect(await bob.ask('ping', 'still there?')).toMatchObject({ echo: 'still there?' });
    const fresh = await bob.ask('auth:refresh', { token: await token('bob') });
    expect(fresh).toMatchObject({ userId: 'bob' });
    // The other one has come to its end; this one has not.
    await other.waitFor('connection:closing');
    expect(await bob.ask('ping', 'and now?')).toMatchObject({ echo: 'and now?' });
    expect(bob.all('connection:closing')).toEqual([]);
  });

  test('does not end a connection whose token never ends, or ends in years', async () => {
    for (const exp of [1e300, Date.now() / 1000 + 400 * 86_400]) {
      const client = await connect('carol', { exp });
      expect(await client.ask('ping', 1)).toMatchObject({ echo: 1 });
      expect(client.heard.map(({ event }) => event)).toEqual(['connection:status']);
    }
  });

  test('is no end for a client that ignores it: its transport is cut', async () => {
    const url = `${server.url.replace('http', 'ws')}${SOCKET_PATH}/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url);
    const say = async (): Promise<void> =>
      socket.send(`40${JSON.stringify({ token: await token('mallory', { ttlMs: 500 }) })}`);
    const packets: string[] = [];
    socket.addEventListener('message', ({ data }) => {
      packets.push(String(data));
      if (String(data).startsWith('0')) void say();
      if (data === '2') socket.send('3');
    });
    await new Promise((resolve) => socket.addEventListener('close', resolve));
    const said = packets.join('\n');
    expect(said).toContain('42["connection:closing",{"code":"token_expired"');
    // 41: the namespace was left first.
    expect(packets.at(-1)).toBe('41');
  });
});

describe('auth:refresh', () => {
  test('goes on with the new token: its roles and its end count from now on, its rooms stay', async () => {
    const owner = await connect('owner');
    await owner.ask('conversation:join', { conversationId: 'room' });
    const sent = await owner.ask('message:send', {
      ...{ conversationId: 'room', clientMessageId: 'q1', content: 'What is Streamgate?' },
    });
    const query = { streamId: sent.streamId as string };
    const foreign = { error: { code: 'not_found' } };
    const dora = await connect('dora', { ttlMs: 30_000 });
    await dora.ask('conversation:join', { conversationId: 'doras' });
    await dora.waitFor('auth:expiring');
    expect(await dora.raw('stream:cancel', query)).toMatchObject(foreign);
    const exp = Math.floor(Date.now() / 1000) + 7200;
    const answer: RefreshResult = await dora.ask('auth:refresh', {
      token: await token('dora', { exp, roles: ['admin'] }),
    });
    expect(answer).toEqual({ ok: true, userId: 'dora', expiresAt: new Date(exp * 1000).toISOString() });
    // Admins may stop every answer, or hear that it has ended.
    expect(await dora.raw('stream:cancel', query)).not.toMatchObject(foreign);
    // And what was a role before is none any more.
    await dora.ask('auth:refresh', { token: await token('dora') });
    expect(await dora.raw('stream:cancel', query)).toMatchObject(foreign);
    const second = await connect('dora');
    await second.ask('message:send', {
      ...{ conversationId: 'doras', clientMessageId: 'm1', content: 'Still here.', respond: false },
    });
    expect(await dora.waitFor('message:new')).toMatchObject({ content: 'Still here.' });
  });

  test('refuses what is no good token of the same user, and changes nothing', async () => {
    const erin = await connect('erin', { ttlMs: 4000 });
    const end = ended(erin);
    const bad: [unknown, string][] = [
      [await token('frank'), 'forbidden'],
      [await token('frank', { roles: ['admin'] }), 'forbidden'],
      [await token('erin', { ttlMs: -60_000 }), 'token_expired'],
      ['malformed', 'unauthenticated'],
      [7, 'invalid_payload'],
      [undefined, 'invalid_payload'],
    ];
    for (const [given, code] of bad) {
      const answer = await erin.raw('auth:refresh', { token: given });
      expect(answer).toMatchObject({ ok: false, error: { code } });
    }
    expect(await erin.ask('ping', 1)).toMatchObject({ echo: 1 });
    // The end that it had is still its end.
    expect(await erin.waitFor('connection:closing')).toMatchObject({ code: 'token_expired' });
    expect(await end).toBe('io server disconnect');
  });

  test('takes the renewed token of a guest, and no other guest', async () => {
    const take = async (headers: Record<string, string> = {}): Promise<{ token: string; userId: string }> => {
      const response = await fetch(`${server.url}/api/auth/guest`, { method: 'POST', headers });
      return (await response.json()) as { token: string; userId: string };
    };
    const guest = await take();
    const client = await TestClient.connect(server.url, guest.userId, { token: guest.token });
    clients.push(client);
    const renewed = await take({ authorization: `Bearer ${guest.token}` });
    expect(await client.ask('auth:refresh', { token: renewed.token })).toMatchObject({
      userId: guest.userId,
    });
    const stranger = await take();
    expect(await client.raw('auth:refresh', { token: stranger.token })).toMatchObject({
      error: { code: 'forbidden' },
    });
  });
});
