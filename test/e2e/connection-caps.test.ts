import { request } from 'node:http';
import { afterEach, beforeAll, afterAll, expect, test } from 'vitest';
import { io, type Socket } from 'socket.io-client';
import { SOCKET_PATH, type Problem } from '../../src/protocol/index.js';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

const MAX = 6;

let server: TestServer;
const ends: (() => void)[] = [];

beforeAll(async () => {
  server = await startServer({ env: { MAX_CONNECTIONS: String(MAX) } });
});

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

afterAll(() => stopCleanly(server));

async function connect(userId: string, transports: ('websocket' | 'polling')[]): Promise<TestClient> {
  const client = await TestClient.connect(server.url, userId, { transports });
  ends.push(() => client.close());
  return client;
}

/** Opens engine.io's connection, and never asks for the namespace. */
function halfOpen(more = ''): Promise<'open' | number> {
  const asked = request(`${server.url}${SOCKET_PATH}/?EIO=4&transport=websocket${more}`, {
    headers: {
      ...{ connection: 'Upgrade', upgrade: 'websocket' },
      ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
    },
  });
  return new Promise((resolve, reject) => {
    asked.once('upgrade', (_response, socket) => {
      ends.push(() => socket.destroy());
      resolve('open');
    });
    asked.once('response', ({ statusCode = 0 }) => resolve(statusCode));
    asked.once('error', reject);
    asked.end();
  });
}

function handshake(more = ''): Promise<Response> {
  return fetch(`${server.url}${SOCKET_PATH}/?EIO=4&transport=polling${more}`);
}

/** Waits until as many places are free as there are. */
async function allFree(): Promise<void> {
  await eventually(async () => {
    const opened = await Promise.all(Array.from({ length: MAX }, () => halfOpen()));
    for (const end of ends.splice(0)) end();
    return opened.every((answer) => answer === 'open');
  }, 'all places free');
}

test('A full server refuses handshakes of both transports with 503 and a problem that says when to come back', async () => {
  await Promise.all(Array.from({ length: MAX - 1 }, (_, n) => connect(`one-${n}`, ['websocket'])));
  await connect('poller', ['polling']);
  const refused = await handshake();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect((await refused.json()) as Problem).toMatchObject({ code: 'too_many_connections', status: 503 });
  expect(await halfOpen()).toBe(503);
  // engine.io takes an empty session id for none.
  expect([(await handshake('&sid=')).status, await halfOpen('&sid=')]).toEqual([503, 503]);
});

test('Connections that never ask for the namespace count, and fifty at once take just the places there are', async () => {
  await allFree();
  const answers = await Promise.all(Array.from({ length: 50 }, () => halfOpen()));
  expect(answers.filter((answer) => answer === 'open')).toHaveLength(MAX);
  expect(answers.filter((answer) => answer === 503)).toHaveLength(50 - MAX);
});

test('An unmodified client that found no room comes in by itself when there is some', async () => {
  await allFree();
  const first = await Promise.all(Array.from({ length: MAX }, (_, n) => connect(`two-${n}`, ['websocket'])));
  const late: Socket = io(server.url, {
    ...{ path: SOCKET_PATH, transports: ['websocket'], forceNew: true, reconnectionDelay: 50 },
    auth: { token: await tokenFor('late') },
  });
  ends.push(() => late.disconnect());
  await new Promise((resolve) => late.once('connect_error', resolve));
  first[0]?.close();
  await new Promise<void>((resolve) => late.once('connect', resolve));
});
