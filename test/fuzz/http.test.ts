import * as fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SendResult } from '../../src/protocol/index.js';
import { tokenFor } from '../support/client.js';
import { http } from '../support/http.js';
import { POLICY_CALLS, type Scene } from '../support/policy-calls.js';
import { share } from '../support/share.js';
import { surface } from '../support/surface.js';
import { faultOfResponse } from './answers.js';
import { converse, requestBytes } from './bytes.js';
import { scenario, SCENARIO_TIMEOUT_MS } from './scenario.js';
import { mutate, mutation, NAMES, type Mutation } from './malformed.js';
import { startTarget, type Target } from './target.js';

const { routes } = surface();
const CALLERS = ['nobody', 'stranger', 'member', 'admin'] as const;
type Caller = (typeof CALLERS)[number];

let target: Target;
const tokens = new Map<Caller, string>();

beforeAll(async () => {
  target = await startTarget();
  tokens.set('stranger', await tokenFor('stranger'));
  tokens.set('member', await tokenFor('member'));
  tokens.set('admin', await tokenFor('admin', { roles: ['admin'] }));
});
afterAll(() => target.finish(), 120_000);

type Header = [string, string];
type Body =
  | { kind: 'none' }
  | { kind: 'good'; mutations: Mutation[] }
  | { kind: 'bytes'; bytes: Uint8Array; type: string }
  | { kind: 'lie'; headers: Header[] };

interface Call {
  route: string;
  by: Caller;
  method: string | null;
  /** Instead of each parameter of the path. */
  segment: string | null;
  query: string;
  headers: Header[];
  body: Body;
}

const SEGMENTS = [
  ...[
    '%',
    '%zz',
    '%E0%A4%A',
    '%00',
    '..',
    '%2e%2e%2f',
    '%ED%A0%80',
    'a%2Fb',
    'x'.repeat(129),
    'x'.repeat(9000),
    '__proto__',
  ],
  ...[
    'constructor',
    '%20',
    '~',
    ':id',
    '*',
    '%F0%9F%98%80',
    '00000000-0000-0000-0000-000000000000',
    '1',
    '?',
    '//',
    '\u00ff',
  ],
];
const QUERIES = [
  ...[
    '?',
    '?limit=1&limit=2',
    '?limit[]=1',
    '?limit[a][b][c]=1',
    '?afterSeq=1e3',
    '?afterSeq=-0',
    '?fromSequence=NaN',
  ],
  ...[
    '?__proto__=1',
    '?__proto__[x]=1',
    '?constructor[prototype][x]=1',
    '?cursor=%00',
    '?cursor=e30',
    '?%',
    '?a=%E0%A4%A',
  ],
  ...[
    `?${'a&'.repeat(2000)}`,
    `?cursor=${'x'.repeat(9000)}`,
    '?ticket=a.b.c',
    '?fromSequence=999999999999999999999',
    '?cursor=WzFd',
  ],
];
const HEADERS: Header[][] = [
  [['Last-Event-ID', '-1']],
  [['Last-Event-ID', 'x'.repeat(5000)]],
  [['Accept', '\u00ff\u0001']],
  [['X', 'x'.repeat(20_000)]],
  Array.from({ length: 300 }, (_, index): Header => [`X-${index}`, '1']),
  [
    ['Authorization', 'Bearer '],
    ['Authorization', 'Bearer x'],
  ],
  [['Authorization', `Bearer ${'x'.repeat(9000)}`]],
  [['Expect', '100-continue']],
  [['Expect', 'miracles']],
  [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
  ],
  [['Upgrade', 'h2c']],
  [['Content-Type', 'application/json; charset=klingon']],
  [['Cookie', '__proto__=1']],
  [
    ['traceparent', `00-${'0'.repeat(32)}-${'f'.repeat(16)}-ff`],
    ['x-request-id', '../../etc'],
  ],
  [
    ['Origin', 'null'],
    ['Access-Control-Request-Method', 'BREW'],
  ],
  [['Bad Name', '1']],
  [['X-Folded', 'a\r\n b']],
  [
    ['Range', 'bytes=0-0,-1'],
    ['If-None-Match', '*'],
  ],
  [['X-HTTP-Method-Override', 'DELETE']],
];
/** What is said of a body of two bytes that follows. */
const LIES: Header[][] = [
  [['Content-Length', '-1']],
  [
    ['Content-Length', '2'],
    ['Content-Length', '3'],
  ],
  [
    ['Content-Length', '2'],
    ['Transfer-Encoding', 'chunked'],
  ],
  [['Content-Length', '99999']],
  [['Content-Length', '9'.repeat(30)]],
  [['Content-Length', '0x2']],
  [['Transfer-Encoding', 'klingon']],
  [['Transfer-Encoding', 'chunked, chunked']],
  [['Transfer-Encoding', 'identity, chunked']],
  [['Content-Encoding', 'gzip']],
  [['Content-Encoding', 'gzip, gzip, gzip']],
  [['Content-Encoding', 'br']],
];
const BODIES = [
  ...[
    '',
    '{',
    '[]',
    'null',
    '"x"',
    '7',
    '{"a":1}{"b":2}',
    '\ufeff{}',
    '{"__proto__":{"x":1}}',
    '{"a":\u0000}',
    '{"a":1e999}',
  ],
  ...[
    `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
    `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    `{"a":"${'x'.repeat(66_000)}"}`,
  ],
  ...[`{${Array.from({ length: 5000 }, (_, index) => `"k${index}":1`).join()}}`],
].map((text) => Buffer.from(text));
const BOMBS = [
  ...[
    gzipSync(Buffer.alloc(20_000_000, 0x20)),
    gzipSync(Buffer.from('{}')).subarray(0, 8),
    Buffer.from([0xff, 0xfe, 0x7b, 0]),
  ],
  ...[Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]), Buffer.from([0xc0, 0x80])],
];
const TYPES = [
  'application/json',
  'text/plain',
  'multipart/form-data; boundary=',
  'application/x-www-form-urlencoded',
  '',
  'a/b/c',
  '*/*',
];

const body: fc.Arbitrary<Body> = fc.oneof(
  fc.constant<Body>({ kind: 'none' }),
  {
    weight: 4,
    arbitrary: fc
      .array(mutation(['content', 'metadata', 'respond', 'seq']), { maxLength: 3 })
      .map((mutations): Body => ({ kind: 'good', mutations })),
  },
  fc
    .tuple(
      fc.oneof(
        fc.constantFrom(...BODIES, ...BOMBS),
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      ),
      fc.oneof({ weight: 4, arbitrary: fc.constant('application/json') }, fc.constantFrom(...TYPES)),
    )
    .map(([bytes, type]): Body => ({ kind: 'bytes', bytes, type })),
  fc.constantFrom(...LIES).map((headers): Body => ({ kind: 'lie', headers })),
);

const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const call: fc.Arbitrary<Call> = fc.record({
  route: fc.constantFrom(...routes),
  by: fc.constantFrom(...CALLERS),
  method: mostly<string | null>(
    null,
    'GET',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'HEAD',
    'OPTIONS',
    'TRACE',
    'CONNECT',
    'BREW',
    'PRI',
  ),
  segment: mostly<string | null>(
    null,
    ...SEGMENTS,
    ...NAMES.map((name) => encodeURIComponent(name.toWellFormed())),
  ),
  query: mostly('', ...QUERIES),
  headers: mostly([], ...HEADERS),
  body,
});

function bytesOf({ route, by, method, segment, query, headers, body }: Call, scene: Scene): Buffer {
  const [verb = '', path = ''] = route.split(' ');
  const good: Record<string, string> = {
    ...{ ':id': scene.conversationId, ':conversationId': scene.conversationId, ':streamId': scene.streamId },
    ...{ ':userId': scene.userId, ':connectionId': scene.connectionId, ':topic': 'news' },
  };
  const filled = path.replaceAll(/:\w+/g, (name) => segment ?? good[name] ?? 'x');
  const token = tokens.get(by);
  const { query: needed = '', payload } = POLICY_CALLS[route] ?? {};
  const line = `${method ?? verb} ${filled}${query || needed}`;
  const all: Header[] = [...(token ? [['Authorization', `Bearer ${token}`] as Header] : []), ...headers];
  if (body.kind === 'none') return requestBytes(line, all);
  if (body.kind === 'lie')
    return requestBytes(
      line,
      [...all, ['Content-Type', 'application/json'], ...body.headers],
      Buffer.from('{}'),
    );
  if (body.kind === 'bytes') {
    const coding: Header[] = BOMBS.some((bomb) => bomb === body.bytes) ? [['Content-Encoding', 'gzip']] : [];
    return requestBytes(line, [...all, ['Content-Type', body.type], ...coding], Buffer.from(body.bytes));
  }
  const json = JSON.stringify(mutate(payload?.(scene) ?? {}, body.mutations)) ?? '';
  return requestBytes(line, [...all, ['Content-Type', 'application/json']], Buffer.from(json));
}

/** A conversation with an answer under way, asked by the bystander. */
async function setScene(): Promise<Scene> {
  const { url } = target.server;
  const conversationId = randomUUID();
  await share(url, conversationId, ['owner', 'member', 'bystander']);
  const ask = { userId: 'bystander', body: { clientMessageId: 'q', content: 'Why?' } };
  const sent = await http(url, `POST /api/conversations/${conversationId}/messages`, ask);
  const { streamId } = (await sent.json()) as SendResult;
  return { conversationId, streamId: streamId!, userId: 'bystander', connectionId: 'nobody', token: '' };
}

test(
  'Whatever bytes come as a request to any route get one clear answer or a closed connection (P11)',
  async () => {
    const property = fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 25 }), async (calls) => {
      const scene = await setScene();
      const heard = await Promise.all(
        calls.map(async (one) => {
          const said = bytesOf(one, scene);
          // Whoever promised more than came has said all now; a stream that begins goes on elsewhere.
          const end = one.body.kind === 'lie';
          const streams = (text: string): boolean =>
            /content-type: (?:text\/event-stream|application\/x-ndjson)/i.test(text);
          const { text } = await converse(target.server.url, [said], { end, enough: streams });
          return faultOfResponse(text);
        }),
      );
      expect(heard.filter((fault) => fault !== null)).toEqual([]);
    });
    const cases = await scenario(property, () => target.check());
    expect(cases).toBeGreaterThan(0);
  },
  SCENARIO_TIMEOUT_MS,
);
