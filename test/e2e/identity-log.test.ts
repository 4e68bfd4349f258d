import { expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { createTestDatabase } from '../support/database.js';
import { rawToken } from '../support/auth.js';
import { startLlmServer } from '../support/llm-server.js';
import { startServer, TEST_SECRET } from '../support/server.js';
import { HttpUser } from '../support/stream-readers.js';
import { token } from '../support/tokens.js';

const API_KEY = 'sk-a-key-that-nobody-may-see';
const CONTENT = 'a-text-that-is-nobodys-business';

test.each(['development', 'production'])(
  'No token, ticket, secret, password or text gets into the log of good and bad requests (P11), %s.',
  async (NODE_ENV) => {
    const llm = await startLlmServer();
    const database = await createTestDatabase();
    const server = await startServer({
      databaseUrl: database.url,
      env: {
        ...{ NODE_ENV, LOG_LEVEL: 'trace', GUEST_ACCESS: 'true' },
        ...{
          LLM_BASE_URL: llm.baseUrl,
          LLM_MODEL: 'words:3',
          LLM_MODELS: 'status:500',
          LLM_API_KEY: API_KEY,
        },
      },
    });
    const bearer = await token('alice', { jti: 'a-secret-jti', roles: ['admin'] });
    const bad = [
      rawToken({ alg: 'none' }, { sub: 'alice' }),
      `${bearer}x`,
      await token('bob', { ttlMs: -1e6 }),
    ];
    const alice = await TestClient.connect(server.url, 'alice', { token: bearer });
    const user = await HttpUser.of(server.url, 'carol');
    const guest = await fetch(`${server.url}/api/auth/guest`, { method: 'POST' });
    const taken = (await guest.json()) as { token: string };

    await alice.ask('conversation:join', { conversationId: 'room' });
    const sent = await alice.ask('message:send', {
      ...{ conversationId: 'room', clientMessageId: 'q1', content: CONTENT },
    });
    await alice.waitFor('message:new');
    await alice.ask('message:send', {
      ...{
        conversationId: 'room',
        clientMessageId: 'q2',
        content: 'Fail.',
        includeContext: false,
        model: 'status:500',
      },
    });
    await alice.waitFor('stream:chunk', ({ type }) => type === 'error');
    await alice.ask('auth:refresh', { token: bearer });
    const { streamId } = sent;
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    const ask = { method: 'POST', headers, body: JSON.stringify({ streamId }) };
    const { ticket } = (await (await fetch(`${server.url}/api/auth/ticket`, ask)).json()) as {
      ticket: string;
    };
    const attach = `${server.url}/api/ws/stream/${streamId}/sse`;
    expect((await fetch(`${attach}?ticket=${ticket}`)).status).toBe(200);
    for (const wrong of bad) {
      await TestClient.connect(server.url, 'x', { token: wrong }).catch(() => undefined);
      await alice.raw('auth:refresh', { token: wrong });
      await fetch(`${attach}?ticket=${wrong}`);
      await fetch(`${attach}?token=${wrong}`);
      await fetch(`${server.url}/nowhere?token=${wrong}`, { headers: { authorization: `Bearer ${wrong}` } });
    }
    await alice.raw('message:send', { conversationId: 'room', content: CONTENT, clientMessageId: 7 });
    await fetch(`${server.url}/api/conversations`, { ...ask, body: `{"password":"${CONTENT}` });
    await user.json('POST', '/api/auth/revocations', { jti: 'a-secret-jti' });
    await alice.raw('nonsense', CONTENT);
    alice.close();
    expect(await server.stop()).toBe(0);

    const log = server.output();
    expect(log).toContain('ready');
    // The whole output of a server in production can be read by a machine.
    if (NODE_ENV === 'production')
      log
        .trim()
        .split('\n')
        .forEach((line) => JSON.parse(line) as object);
    const { password } = new URL(database.url);
    const secrets = [TEST_SECRET, API_KEY, CONTENT, user.token, taken.token, ticket, bearer, ...bad];
    const parts = [...secrets, ...(password ? [password] : [])].flatMap((secret) => secret.split('.'));
    // The header of tokens is the same for all, and no secret.
    const telling = parts.filter((part) => part.length > 8 && !part.startsWith('eyJhbGci'));
    expect(telling.filter((part) => log.includes(part))).toEqual([]);
    await database.drop();
    await llm.close();
  },
);
