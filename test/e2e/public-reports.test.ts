import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { TestClient, tokenFor } from '../support/client.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

/* What users of Socket.IO, NestJS and chat servers reported elsewhere, tried here. */

let server: TestServer;
let token: string;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false' } });
  token = await tokenFor('ann');
});
afterAll(() => stopCleanly(server));

/** Connects, and gives `connected` or what the page's developer sees instead: the server's sentence, else the client's. */
async function connect(options: Partial<ManagerOptions & SocketOptions>, path = ''): Promise<string> {
  const socket = io(server.url + path, {
    ...{ path: SOCKET_PATH, auth: { token }, reconnection: false, forceNew: true },
    ...options,
  });
  return new Promise<string>((resolve) => {
    socket.on('connect', () => resolve('connected'));
    socket.on('connect_error', (error) => {
      const { context } = error as Error & { context?: { responseText?: string } };
      resolve(context?.responseText ?? error.message);
    });
  }).finally(() => socket.disconnect());
}

describe('A socket with an unusual handshake connects', () => {
  test.each([
    ['no slash at the end of its path', { addTrailingSlash: false }],
    ['none by WebSocket', { addTrailingSlash: false, transports: ['websocket'] }],
    ['none by polling', { addTrailingSlash: false, transports: ['polling'] }],
    ['a slash in its option', { path: `${SOCKET_PATH}/` }],
    ['a query of its own', { query: { v: '2', token: 'old' } }],
  ])('%s', async (_, options) => {
    expect(await connect(options)).toBe('connected');
  });

  test('a token by a function', async () => {
    expect(await connect({ auth: (give: (auth: object) => void) => give({ token }) })).toBe('connected');
  });
});

describe('A socket that cannot connect is told why', () => {
  const needed = /^A token is required: as `auth: \{ token \}` of a socket/;
  test.each<[string, () => Partial<ManagerOptions & SocketOptions>, RegExp, string?]>([
    ['its token in the query', () => ({ auth: {}, query: { token } }), needed],
    [
      'its token in a header',
      () => ({ auth: {}, extraHeaders: { authorization: `Bearer ${token}` } }),
      needed,
    ],
    ['a token of another name', () => ({ auth: { Token: token } }), needed],
    ['a token with Bearer', () => ({ auth: { token: `Bearer ${token}` } }), /without “Bearer”/],
    ['a token in quotation marks', () => ({ auth: { token: JSON.stringify(token) } }), /quotation marks/],
    ['a token that is null', () => ({ auth: { token: null } }), /must be a string/],
    ['the path as a namespace', () => ({}), /no such namespace.*“\/”/, SOCKET_PATH],
    [
      'a cookie of 20 kB',
      () => ({ extraHeaders: { cookie: `a=${'x'.repeat(20_000)}` } }),
      /at most 16384 bytes/,
    ],
  ])('%s', async (_, options, sentence, path) => {
    expect(await connect(options(), path)).toMatch(sentence);
  });

  test.each([
    ['EIO=3&transport=polling', 'EIO must be 4, as Socket.IO 3 and 4 send it.'],
    ['EIO=4', 'transport must be polling or websocket.'],
  ])('an old or foreign client (%s)', async (query, detail) => {
    for (const slash of ['', '/']) {
      const response = await fetch(`${server.url}${SOCKET_PATH}${slash}?${query}`);
      expect([response.status, await response.json()]).toMatchObject([400, { detail }]);
    }
  });

  test('a path that only begins like the right one is not found', async () => {
    const response = await fetch(`${server.url}${SOCKET_PATH}ter?EIO=4&transport=polling`);
    expect(response.status).toBe(404);
  });
});

describe('An unusual payload is stored as it is, or refused with the reason', () => {
  let ann: TestClient;
  beforeAll(async () => {
    ann = await TestClient.connect(server.url, 'ann');
    await ann.ask('conversation:join', { conversationId: 'room' });
  });
  afterAll(() => ann.close());

  let sends = 0;
  const send = (fields: object): Promise<{ ok: boolean; message: object; error: { message: string } }> =>
    ann.raw('message:send', {
      ...{ conversationId: 'room', clientMessageId: `m${(sends += 1)}`, content: 'x', respond: false },
      ...fields,
    });

  test.each([
    ['line separators', { content: 'a\u2028b\u2029c' }],
    ['escapes that are words', { content: '\\u0000 and \\ud800' }],
    ['a family of emoji', { content: '👨‍👩‍👧‍👦'.repeat(20) }],
    ['one word of 8,000 characters', { content: 'x'.repeat(8000) }],
    ['keys of Object', { metadata: JSON.parse('{"__proto__":{"a":1},"constructor":2}') as object }],
    ['large numbers', { metadata: { n: 1e308, m: -0.1, k: 2 ** 53 } }],
  ])('stored: %s', async (_, fields) => {
    const sent = await send(fields);
    expect(sent).toMatchObject({ ok: true, message: fields });
    const { messages } = await ann.ask('message:history', { conversationId: 'room' });
    expect(messages.at(-1)).toEqual(sent.message);
  });

  test('stored: a date, as JSON writes it', async () => {
    const at = new Date(0);
    expect(await send({ metadata: { at } })).toMatchObject({
      message: { metadata: { at: at.toISOString() } },
    });
  });

  const texts = /metadata must be .*without control characters or lone surrogates/;
  test.each([
    ['a number as an id', { conversationId: 5 }, /^conversationId must be text of 1 to 128 characters/],
    [
      'a number as a client id',
      { clientMessageId: 5 },
      /^clientMessageId must be text of 1 to 128 printable/,
    ],
    ['a name as an id', { clientMessageId: 'Ünsal/1' }, /printable ASCII/],
    ['U+0000', { content: 'a\0b' }, /without control characters/],
    ['half an emoji', { content: 'a\ud83d' }, /lone surrogates/],
    ['U+0000 in metadata', { metadata: { a: 'b\0' } }, texts],
    ['U+0000 in a key', { metadata: { 'a\0': 1 } }, texts],
    ['half an emoji in metadata', { metadata: { a: ['\udc00'] } }, texts],
  ])('refused: %s', async (_, fields, sentence) => {
    const { error } = await send(fields);
    expect(error).toMatchObject({
      code: 'invalid_payload',
      message: expect.stringMatching(sentence) as string,
    });
  });

  test.each([
    ['text', ['{"conversationId":"room"}'], /must be an object/],
    ['a list', [[1]], /must be an object/],
    ['null', [null], /must be an object/],
    ['two payloads', ['room', 'hello'], /takes one payload/],
  ])('refused: %s in place of a payload', async (_, payloads, sentence) => {
    const { error } = await ann.raw<{ error: { message: string } }>('message:send', ...payloads);
    expect(error.message).toMatch(sentence);
  });

  test('an event of another name gets an ack, too', async () => {
    expect(await ann.raw('sendMessage', {})).toMatchObject({ error: { message: 'there is no such event.' } });
  });
});

describe('HTTP as proxies, probes and other clients speak it', () => {
  test.each(['/api/ws/health', '/api/ws/health/live', '/api/ws/health/ready', '/api/ws/health/'])(
    'HEAD %s is 200',
    async (path) => {
      expect((await fetch(server.url + path, { method: 'HEAD' })).status).toBe(200);
    },
  );

  test.each(['application/json', 'image/png', 'nonsense;;'])(
    'an answer is an event stream whatever is accepted, uncompressed and unbuffered (%s)',
    async (accept) => {
      const headers = { authorization: `bearer ${token}`, 'content-type': 'application/json' };
      // Some editors and PowerShell begin a file with a byte order mark.
      const body = `\ufeff${JSON.stringify({ conversationId: 'room', message: 'Hello?' })}`;
      const response = await fetch(`${server.url}/api/ws/stream/sse`, {
        ...{ method: 'POST', body },
        headers: { ...headers, accept, 'accept-encoding': 'gzip, br' },
      });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      expect(response.headers.get('content-encoding')).toBeNull();
      expect(response.headers.get('x-accel-buffering')).toBe('no');
      expect(await response.text()).toContain('event: complete');
    },
  );
});
