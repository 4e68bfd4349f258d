import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Problem } from '../../src/protocol/index.js';
import { tokenFor } from '../support/client.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

const LISTS = [
  '/api/conversations',
  '/api/conversations/room/messages',
  '/api/ws/stream/active',
  '/api/ws/presence/online',
  '/api/ws/queue/root',
  '/api/ws/connections/root',
  '/api/ws/connections/conversation/room',
];

const BAD = [
  ...['limit=1&limit=2', 'limit[a]=1', 'limit[]=1', 'limit=1&limit[a]=2', 'limit=', 'limit=-1', 'limit=0'],
  ...['limit=201', 'limit=1e1', 'limit=1.0', 'limit=0x10', 'limit=%2010', 'limit=NaN', 'limit=Infinity'],
  ...['limit=99999999999999999999999', 'limit=%D9%A1', 'nonsense=1', '__proto__=1', '__proto__[limit]=1'],
  ...['constructor=1', 'toString=1', 'hasOwnProperty=1', 'cursor=a&cursor=b', 'cursor[a]=b', 'cursor='],
  ...['cursor=%00', `cursor=${'x'.repeat(600)}`, 'limit'],
  Array.from({ length: 2000 }, (_, n) => `p${n}=1`).join('&'),
];

let server: TestServer;
let headers: Record<string, string>;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false' } });
  headers = { authorization: `Bearer ${await tokenFor('root', { roles: ['admin'] })}` };
  await fetch(`${server.url}/api/conversations`, {
    ...{ method: 'POST', body: '{"id":"room"}' },
    headers: { ...headers, 'content-type': 'application/json' },
  });
});
afterAll(() => stopCleanly(server));

describe('A query that a list cannot take is invalid_payload (P11)', () => {
  test.each(LISTS)('%s', async (path) => {
    for (const query of BAD) {
      const response = await fetch(`${server.url}${path}?${query}`, { headers });
      const problem = (await response.json()) as Problem;
      expect([query, response.status, problem.code]).toEqual([query, 400, 'invalid_payload']);
      expect(problem.detail.length).toBeLessThan(2000);
      expect(problem.details?.['faults'], query).not.toHaveLength(0);
    }
    const good = await fetch(`${server.url}${path}?limit=200`, { headers });
    expect([good.status, await good.json()]).toEqual([
      200,
      expect.not.objectContaining({ code: expect.anything() as unknown }),
    ]);
  });

  test.each([
    ...['0 room', '2026 room', '12/31/2026 room', '2026-01-01 room', '2026-02-30T00:00:00.000Z room'],
    ...[
      '0000-01-01T00:00:00.000Z room',
      '+275760-09-13T00:00:00.000Z room',
      '-000001-01-01T00:00:00.000Z room',
    ],
    ...['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z a/b'],
  ])('a cursor of conversations that was none: %s', async (text) => {
    const cursor = Buffer.from(text).toString('base64url');
    const response = await fetch(`${server.url}/api/conversations?cursor=${cursor}`, { headers });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      {
        code: 'invalid_payload',
        details: { faults: ['cursor must be the nextCursor of the previous page'] },
      },
    ]);
  });

  test('positions of messages and streams', async () => {
    for (const value of ['1&fromSequence=2', '-1', '1e1', '0x1', ' 1', '1.0', '99999999999999999', '']) {
      const stream = '/api/ws/stream/01890a5d-ac96-774b-bcce-b302099a8057/sse';
      const response = await fetch(`${server.url}${stream}?fromSequence=${value}`, { headers });
      expect([value, response.status]).toEqual([value, 400]);
    }
    for (const query of [
      'afterSeq=1&afterSeq=2',
      'afterSeq=1e3',
      'beforeSeq=0',
      'beforeSeq=-0',
      'afterSeq[x]=1',
    ]) {
      const response = await fetch(`${server.url}/api/conversations/room/messages?${query}`, { headers });
      expect([query, response.status]).toEqual([query, 400]);
    }
  });
});

test('An address of 15 KiB is still read, and a longer one answered by 431 (P11)', async () => {
  const long = (length: number) => fetch(`${server.url}/${'x'.repeat(length)}`).then(({ status }) => status);
  expect([await long(15_000), await long(17_000)]).toEqual([404, 431]);
});
