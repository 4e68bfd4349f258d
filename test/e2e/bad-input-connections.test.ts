import { SignJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ERROR_RULES, SOCKET_PATH, type Problem, type WireError } from '../../src/protocol/index.js';
import { rawToken } from '../support/auth.js';
import { tokenFor } from '../support/client.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { startPeers, type Peers } from '../support/peer.js';
import { TEST_SECRET } from '../support/server.js';

let next: Peers;

beforeAll(async () => {
  next = await startPeers();
});
afterAll(() => next.stop());
beforeEach(() => next.begin());
afterEach(() => next.expectUnharmed());

/** What a connection with this `auth` is refused with. */
async function refusalOf(
  auth: Record<string, unknown>,
  namespace = '',
): Promise<Error & { data?: WireError }> {
  const socket: Socket = io(`${next.server.url}${namespace}`, {
    ...{ path: SOCKET_PATH, transports: ['websocket'], reconnection: false, forceNew: true, auth },
  });
  try {
    return await new Promise((resolve, reject) => {
      socket.once('connect_error', resolve);
      socket.once('connect', () => reject(new Error('it was let in')));
    });
  } finally {
    socket.disconnect();
  }
}

const now = Math.floor(Date.now() / 1000);
const key = (secret: string): Uint8Array => new TextEncoder().encode(secret);
const signed = (claims: Record<string, unknown>, secret = TEST_SECRET): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(key(secret));

describe('A token that is not good is a connect_error with an error of protocol section 6', () => {
  const good = { sub: 'mallory', exp: now + 3600 };
  const tokens: [string, () => unknown, string?][] = [
    ['missing', () => undefined],
    ['null', () => null],
    ['a number', () => 42],
    ['an object', () => ({ sub: 'mallory' })],
    ['empty', () => ''],
    ['malformed', () => 'a.b.c'],
    ['very long', () => 'x'.repeat(20_000)],
    ['expired', () => signed({ ...good, exp: now - 60 }), 'token_expired'],
    ['without an end', () => signed({ sub: 'mallory' })],
    ['not valid yet', () => signed({ ...good, nbf: now + 600 })],
    ['forged with another secret', () => signed(good, 'another secret of more than thirty-two characters')],
    ['signed with none', () => rawToken({ alg: 'none' }, good)],
    ['signed with None', () => rawToken({ alg: 'None', typ: 'JWT' }, good, 'x')],
    [
      'altered after signing',
      async () => {
        const [header, , signature] = (await tokenFor('mallory')).split('.');
        return `${header}.${Buffer.from(JSON.stringify({ ...good, roles: ['admin'] })).toString('base64url')}.${signature}`;
      },
    ],
    ['without a sub', () => signed({ exp: good.exp })],
    ['for the assistant', () => signed({ ...good, sub: 'assistant' })],
    ['for a guest that is none', () => signed({ ...good, sub: 'guest:x' })],
    ['for a sub with U+0000', () => signed({ ...good, sub: 'a\u0000' })],
    ['with roles that are no list', () => signed({ ...good, roles: 'admin' })],
  ];
  test.each(tokens)('%s', async (_what, make, code = 'unauthenticated') => {
    const token = await make();
    const refused = await refusalOf(token === undefined ? {} : { token });
    const { data } = refused;
    expect(data).toEqual({
      ...{ code, message: refused.message, retryable: ERROR_RULES[code as WireError['code']].retryable },
      correlationId: expect.stringMatching(/^[\da-f]{32}$/) as string,
    });
    const parts = (typeof token === 'string' ? token : '').split('.').filter((part) => part.length > 8);
    expect(parts.filter((part) => JSON.stringify(data).includes(part))).toEqual([]);
  });

  test.each([
    ['a deviceId that is a number', { deviceId: 1 }],
    ['a deviceId that is not ASCII', { deviceId: 'Gerät' }],
    ['a deviceId that is too long', { deviceId: 'x'.repeat(129) }],
    ['acks that are text', { acks: 'true' }],
  ])('%s is invalid_payload', async (_what, fields) => {
    const { data } = await refusalOf({ token: await tokenFor('mallory'), ...fields });
    expect(data).toMatchObject({ code: 'invalid_payload', retryable: false });
    expect(data?.details).toEqual({ faults: [data?.message.slice(0, -1)] });
  });
});

test('A namespace that there is not is a connect_error not_found, with a good token and without, and stays one', async () => {
  const name = 'streamgate_handshake_refusals_total';
  const counted = async () => sumOf(await scrape(next.server.url), name, { code: 'not_found' });
  const before = await counted();
  const token = await tokenFor('mallory');
  const asked: [string, Record<string, unknown>][] = [
    ['/admin', { token }],
    ['/admin', { token }],
    ['/__proto__', {}],
    ['/_0', { token }],
  ];
  for (const [namespace, auth] of asked) {
    const { message, data } = await refusalOf(auth, namespace);
    expect(data).toEqual({
      ...{ code: 'not_found', message, retryable: false },
      correlationId: expect.stringMatching(/^[\da-f]{32}$/) as string,
    });
  }
  expect((await counted()) - before).toBe(asked.length);
});

describe('A raw WebSocket', () => {
  /** Opens one, says `lines` once the server has greeted, and gives the code of its close. */
  function say(...lines: (string | Uint8Array)[]): Promise<number> {
    const { host } = new URL(next.server.url);
    const socket = new WebSocket(`ws://${host}${SOCKET_PATH}/?EIO=4&transport=websocket`);
    return new Promise((resolve, reject) => {
      let greeted = false;
      socket.addEventListener('message', () => {
        if (greeted) return;
        greeted = true;
        for (const line of lines) socket.send(line);
      });
      socket.addEventListener('close', ({ code }) => resolve(code));
      socket.addEventListener('error', ({ error }) => (greeted ? undefined : reject(error)));
    });
  }

  test.each([
    ['malformed', ['hello']],
    ['an unknown packet type', ['9']],
    ['an unknown Socket.IO packet type', ['49']],
    ['an event before connecting', ['42["ping",1]']],
    ['broken JSON', ['42["ping",']],
    ['an event that is no array', ['42{"ping":1}']],
    ['a reserved event', ['42["disconnect"]']],
    ['an auth that is no object', ['40[1]']],
    ['an auth that is broken', ['40{"token":']],
    ['a binary frame', [new Uint8Array([0, 1, 2, 255])]],
    ['a binary event header', ['451-["message:send",{"_placeholder":true,"num":0}]']],
    ['a million attachments', ['459999999-["message:send"]']],
  ])('that says %s is closed', async (_what, lines) => {
    expect(await say(...lines)).toBeGreaterThanOrEqual(1000);
  });

  test('that says more than four times MAX_PAYLOAD_BYTES is closed with 1009', async () => {
    expect(await say(`40${' '.repeat(4 * 65_536)}`)).toBe(1009);
  });
});

describe('Requests to the path of the sockets', () => {
  test.each([
    ['an unknown transport', 'GET', '?EIO=4&transport=carrier-pigeon', 'transport must be'],
    ['an old protocol', 'GET', '?EIO=3&transport=polling', 'EIO must be 4'],
    ['an unknown session', 'GET', '?EIO=4&transport=polling&sid=nobody', 'no such session'],
    ['a session of a prototype', 'GET', '?EIO=4&transport=polling&sid=__proto__', 'no such session'],
    ['nothing of the protocol', 'GET', '', 'transport must be'],
    ['a POST without a session', 'POST', '?EIO=4&transport=polling', 'begins with GET'],
    ['a WebSocket that is none', 'GET', '?EIO=4&transport=websocket', 'does not fit'],
  ])('%s: a problem body, not a connection', async (_what, method, query, said) => {
    const response = await fetch(`${next.server.url}${SOCKET_PATH}/${query}`, { method });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const { code, detail, details } = (await response.json()) as Problem;
    expect([code, detail]).toEqual(['invalid_payload', expect.stringContaining(said)]);
    expect(details).toEqual({ faults: [detail.slice(0, -1)] });
  });
});

test.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
  'A session of long polling that is asked by %s is invalid_payload, and goes on (P11)',
  async (method) => {
    const address = `${next.server.url}${SOCKET_PATH}/?EIO=4&transport=polling`;
    const opened = await (await fetch(address)).text();
    const sid = /"sid":"([^"]+)"/.exec(opened)?.[1];
    const answer = await fetch(`${address}&sid=${sid}`, { method });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      ...{ code: 'invalid_payload', status: 400 },
      details: { faults: ['a connection is made and used by GET and POST'] },
    });
    const body = `40${JSON.stringify({ token: await tokenFor('mallory') })}`;
    expect((await fetch(`${address}&sid=${sid}`, { method: 'POST', body })).status).toBe(200);
    expect(await (await fetch(`${address}&sid=${sid}`)).text()).toMatch(/^40\{"sid":/);
    await fetch(`${address}&sid=${sid}`, { method: 'POST', body: '1' });
  },
);
