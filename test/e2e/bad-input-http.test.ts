import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ERROR_RULES, type ErrorCode, type Problem } from '../../src/protocol/index.js';
import { propertiesOf } from '../../src/platform/validation/payload-rules.js';
import { tokenFor } from '../support/client.js';
import { startPeers, type Peers } from '../support/peer.js';
import { surface } from '../support/surface.js';

let next: Peers;
let authorization: string;

beforeAll(async () => {
  next = await startPeers();
  authorization = `Bearer ${await tokenFor('alice')}`;
  await request('POST', '/api/conversations', { id: 'room' });
});
afterAll(() => next.stop());
beforeEach(() => next.begin());
afterEach(() => next.expectUnharmed());

interface Extra {
  type?: string;
  headers?: Record<string, string>;
}

function request(method: string, path: string, body?: unknown, extra: Extra = {}): Promise<Response> {
  const { type = 'application/json', headers } = extra;
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  return fetch(`${next.server.url}${path}`, {
    method,
    headers: { authorization, ...(text !== undefined && { 'content-type': type }), ...headers },
    ...(text !== undefined && { body: text }),
  });
}

/** Checks that `response` is a whole problem body with this code (RFC 9457, protocol section 6). */
async function expectProblem(response: Response, code: ErrorCode): Promise<Problem> {
  const text = await response.text();
  expect(response.headers.get('content-type'), text).toMatch(/^application\/problem\+json/);
  const problem = JSON.parse(text) as Problem;
  expect(problem).toMatchObject({ code, status: response.status, retryable: ERROR_RULES[code].retryable });
  expect(response.status).toBe(ERROR_RULES[code].httpStatus);
  expect(problem.correlationId).toMatch(/^[\da-f]{32}$/);
  expect(problem.detail).toMatch(/\S/);
  expect(text).not.toMatch(/node_modules|\bat .*:\d+:\d+|select |\/work\//);
  // Words of Node, Express and its body parser.
  expect(problem.detail).not.toMatch(/ in JSON|unexpected|entity|unsupported|Failed to|header check/i);
  if (code === 'invalid_payload') expectFaults(problem);
  return problem;
}

function expectFaults({ detail, details }: Problem): void {
  const { faults } = details as { faults: string[] };
  expect(`${faults.join('; ')}.`).toBe(detail);
}

const messages = '/api/conversations/room/messages';
const send = { clientMessageId: 'c1', content: 'Hello', respond: false };

describe('A body that is no JSON object is invalid_payload', () => {
  test.each([
    ['broken JSON', '{"content":'],
    ['no JSON', 'content=Hello'],
    ['an array', '[]'],
    ['an array of one good body', JSON.stringify([send])],
    ['text', '"Hello"'],
    ['null', 'null'],
    ['a number', '7'],
    ['a lone surrogate in the bytes', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22]).toString('latin1')],
  ])('%s', async (_what, body) => {
    await expectProblem(await request('POST', messages, body), 'invalid_payload');
    await expectProblem(await request('POST', '/api/conversations', body), 'invalid_payload');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data',
    '',
  ])('of the type %j', async (type) => {
    const body = Buffer.from(JSON.stringify({ title: 'Hello' }));
    const response = await fetch(`${next.server.url}/api/conversations`, {
      ...{ method: 'POST', body, headers: { authorization, 'content-type': type } },
    });
    await expectProblem(response, 'invalid_payload');
  });

  test('of a character set that there is not', async () => {
    const response = await request('POST', messages, send, { type: 'application/json; charset=klingon' });
    const { detail } = await expectProblem(response, 'invalid_payload');
    expect(detail).toBe('the body must be in UTF-8.');
  });

  test('of a coding that there is not, or that is broken', async () => {
    for (const [coding, said] of [
      ['klingon', 'the body must be uncompressed, or compressed with gzip, deflate or br'],
      ['gzip', 'the body cannot be decompressed as Content-Encoding says'],
    ] as const) {
      const response = await request('POST', messages, send, { headers: { 'content-encoding': coding } });
      expect((await expectProblem(response, 'invalid_payload')).detail).toBe(`${said}.`);
    }
  });
});

describe('A field that is out of bounds is invalid_payload', () => {
  test.each<[string, object]>([
    ['an unknown key', { extra: 1 }],
    ['content with U+0000', { content: 'a\u0000' }],
    ['content with a lone surrogate', { content: '\ud800' }],
    ['content that is missing', { content: undefined }],
    ['content that is an object', { content: { toString: 'x' } }],
    ['metadata that is an array', { metadata: [1] }],
    ['metadata 5 deep', { metadata: { a: { b: { c: { d: {} } } } } }],
    ['respond that is text', { respond: 'true' }],
    ['the conversation in the body', { conversationId: 'room' }],
    ['an unknown provider', { respond: true, provider: 'nobody' }],
  ])('%s', async (_what, fields) => {
    await expectProblem(await request('POST', messages, { ...send, ...fields }), 'invalid_payload');
  });

  test('a __proto__ key, a constructor key and ten thousand levels', async () => {
    const own = JSON.stringify(send).slice(1);
    await expectProblem(await request('POST', messages, `{"__proto__":{"x":1},${own}`), 'invalid_payload');
    await expectProblem(await request('POST', messages, `{"constructor":1,${own}`), 'invalid_payload');
    const deep = `{"metadata":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)},${own}`;
    await expectProblem(await request('POST', messages, deep), 'invalid_payload');
  });

  test('metadata is kept as it was sent', async () => {
    const metadata = { constructor: 'x', when: '2020-01-01T00:00:00Z', deep: { list: [1, { a: null }] } };
    const response = await request('POST', messages, { ...send, clientMessageId: 'kept', metadata });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ message: { metadata } });
  });

  test.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'limit=',
    'limit=1.5',
    'limit=1&limit=2',
    'afterSeq=-1',
    'afterSeq=1&beforeSeq=2',
    'beforeSeq=0',
    'unknown=1',
    'afterSeq=9007199254740993',
    'afterSeq[a]=1',
  ])('the query %s', async (query) => {
    await expectProblem(await request('GET', `${messages}?${query}`), 'invalid_payload');
  });
});

describe('A body that is too large is payload_too_large', () => {
  test('above MAX_PAYLOAD_BYTES, and a megabyte', async () => {
    for (const length of [65_536, 1_000_000]) {
      const body = { ...send, content: 'x'.repeat(length) };
      const { detail } = await expectProblem(await request('POST', messages, body), 'payload_too_large');
      expect(detail).toBe('The body may have at most 65536 bytes.');
    }
  });

  test('content of more than MAX_MESSAGE_CHARS', async () => {
    const body = { ...send, content: '😀'.repeat(16_001) };
    await expectProblem(await request('POST', messages, body), 'payload_too_large');
  });
});

describe('Paths', () => {
  test.each([
    ['GET', '/api/nope'],
    ['POST', '/api/conversations/room/nope'],
    ['DELETE', '/api/conversations/room/messages'],
    ['GET', '/api/conversations/nobody-has-this'],
    ['GET', '/api/conversations/nobody-has-this/messages'],
    ['GET', '/nope'],
    ['GET', '/../../etc/passwd'],
    ['GET', '/..%2f..%2fetc%2fpasswd'],
  ])('%s %s is not_found', async (method, path) => {
    await expectProblem(await request(method, path), 'not_found');
  });

  test.each([
    '/api/conversations/%E0%A4%A',
    '/api/conversations/%',
    '/api/conversations/a%00b',
    '/api/conversations/a%2Fb',
    '/api/conversations/a%20b/messages',
    `/api/conversations/${'x'.repeat(129)}`,
    '/api/conversations/r%C3%B6%C3%B6m',
  ])('GET %s is invalid_payload', async (path) => {
    await expectProblem(await request('GET', path), 'invalid_payload');
  });

  test('Outside the API, errors have the same form', async () => {
    await expectProblem(await request('POST', '/', 'text', { type: 'text/plain' }), 'invalid_payload');
    await expectProblem(await request('POST', '/nope', '{"broken":'), 'invalid_payload');
    await expectProblem(await request('POST', '/nope', { x: 'x'.repeat(70_000) }), 'payload_too_large');
    await expectProblem(await request('GET', '/%E0%A4%A'), 'not_found');
  });

  test.each(['%00', 'a%0A', '%', 'assistant', 'x'.repeat(257), '%ED%A0%80'])(
    'the member %s is invalid_payload',
    async (id) => {
      const response = await request('PUT', `/api/conversations/room/members/${id}`);
      await expectProblem(response, 'invalid_payload');
    },
  );
});

test('Every parameter, query and body of a route is checked, by a pipe of its own or by its DTO', () => {
  const { inputs } = surface();
  expect(inputs.length).toBeGreaterThan(40);
  const isDto = (type: unknown) =>
    typeof type === 'function' && propertiesOf(type as new () => object).size > 0;
  const unchecked = inputs.filter(({ pipes, type }) => pipes.length === 0 && !isDto(type));
  expect(unchecked.map(({ name }) => name)).toEqual([]);
});

describe('Without a good token', () => {
  test.each([
    ['no header', {}],
    ['an empty one', { authorization: '' }],
    ['no bearer', { authorization: 'Basic YTpi' }],
    ['malformed', { authorization: 'Bearer x.y.z' }],
  ])('%s: unauthenticated, with a challenge', async (_what, headers) => {
    const response = await fetch(`${next.server.url}${messages}`, { headers });
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    await expectProblem(response, 'unauthenticated');
  });
});

test('Bytes that are no HTTP get an answer or a closed connection', async () => {
  const { hostname, port } = new URL(next.server.url);
  for (const bytes of [
    '\u0000\u0001\u0002\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
  ]) {
    const heard = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => socket.write(bytes, 'latin1'));
      socket.setEncoding('latin1').on('data', (data: string) => (text += data));
      socket.on('error', () => undefined).on('close', () => resolve(text));
    });
    expect(heard).toMatch(/^HTTP\/1\.1 4\d\d |^$/);
  }
});
