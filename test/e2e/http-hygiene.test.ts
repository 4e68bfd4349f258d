import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guardListener } from '../../src/platform/http/listener-guard.js';
import { SOCKET_PATH, type Problem } from '../../src/protocol/index.js';
import { tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

const LISTED = 'https://app.example.org';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { CORS_ORIGINS: LISTED } });
});
afterAll(() => stopCleanly(server));

/** Writes `bytes` to `url`; all that is heard until the other side closes. */
function exchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes, 'latin1'));
    socket.setEncoding('latin1').on('data', (data: string) => (text += data));
    socket.on('error', () => undefined).on('close', () => resolve(text));
  });
}

function polling(headers: Record<string, string>): Promise<Response> {
  return fetch(`${server.url}${SOCKET_PATH}/?EIO=4&transport=polling`, { headers });
}

async function upgrade(origin?: string): Promise<string> {
  const { host } = new URL(server.url);
  const lines = [
    `GET ${SOCKET_PATH}/?EIO=4&transport=websocket HTTP/1.1`,
    ...[`Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(origin === undefined ? [] : [`Origin: ${origin}`]),
  ];
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [head] = (await once(socket.setEncoding('latin1'), 'data')) as [string];
  socket.destroy();
  return head;
}

describe('Pages of other sites (P10)', () => {
  test.each([
    'https://evil.example',
    'null',
    'https://app.example.org.evil.example',
    'http://app.example.org',
  ])('a page of %s is refused before the handshake, on both transports', async (origin) => {
    const refused = await polling({ origin });
    expect(refused.status).toBe(403);
    expect((await refused.json()) as Problem).toMatchObject({ code: 'forbidden' });
    const head = await upgrade(origin);
    expect(head).toMatch(/^HTTP\/1\.1 403 /);
    expect(head).toContain('CORS_ORIGINS');
  });

  test('a page that is of another origin and does not say of which is refused; the own one and a typed address pass', async () => {
    const codeOf = async (site: string) => (await polling({ 'sec-fetch-site': site })).status;
    expect(await Promise.all(['cross-site', 'same-site', 'same-origin', 'none'].map(codeOf))).toEqual([
      ...[403, 403, 200, 200],
    ]);
  });

  test('a listed origin, the own one, and clients that are not browsers pass', async () => {
    for (const origin of [LISTED, server.url, undefined]) {
      expect(await upgrade(origin), origin).toMatch(/^HTTP\/1\.1 101 /);
      expect((await polling(origin === undefined ? {} : { origin })).status).toBe(200);
    }
  });

  test('the default port may be in Host or not, and the scheme says which it is', async () => {
    const codeOf = async (origin: string, host: string) => {
      const { hostname, port } = new URL(server.url);
      const text = `GET ${SOCKET_PATH}/?EIO=4&transport=polling HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`;
      return (await exchange(`http://${hostname}:${port}`, text)).slice(9, 12);
    };
    expect(await codeOf('https://chat.example.org', 'chat.example.org:443')).toBe('200');
    expect(await codeOf('http://chat.example.org', 'chat.example.org:80')).toBe('200');
    expect(await codeOf('https://chat.example.org:8443', 'CHAT.example.org:8443')).toBe('200');
    expect(await codeOf('http://chat.example.org', 'chat.example.org:443')).toBe('403');
    expect(await codeOf('https://chat.example.org:8443', 'chat.example.org')).toBe('403');
  });

  test('a refusal says what the server saw, and the log warns once of it', async () => {
    const origin = 'https://seen.example.org';
    const refused = await polling({ origin, 'x-forwarded-proto': 'https' });
    await polling({ origin });
    const { detail } = (await refused.json()) as Problem;
    expect(detail).toContain(`pages of ${origin}`);
    expect(detail).toContain(`Host ${new URL(server.url).host}, over https`);
    expect(detail).toContain('CORS_ORIGINS');
    await eventually(() => server.output().includes(origin), 'the log names it');
    expect(server.output().split(origin)).toHaveLength(2);
  });

  test('a preflight of another site allows nothing; of a listed one, it does', async () => {
    const ask = async (origin: string) => {
      const headers = { origin, 'access-control-request-method': 'POST' };
      const response = await fetch(`${server.url}/api/conversations`, { method: 'OPTIONS', headers });
      return response.headers.get('access-control-allow-origin');
    };
    expect(await ask('https://evil.example')).toBeNull();
    expect(await ask(LISTED)).toBe(LISTED);
  });

  test('a page of a listed origin may read which answer it is, when to come back, and the correlation id', async () => {
    const { headers } = await fetch(`${server.url}/api/ws/health/live`, { headers: { origin: LISTED } });
    const exposed = headers.get('access-control-expose-headers')?.split(',');
    expect(exposed).toEqual(expect.arrayContaining(['X-Stream-Id', 'Retry-After', 'X-Request-Id']));
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    "a form's post as %s is refused and changes nothing",
    async (type) => {
      const response = await fetch(`${server.url}/api/conversations`, {
        method: 'POST',
        headers: { origin: 'https://evil.example', 'content-type': type },
        body: '{"id":"forged"}',
      });
      expect(response.status).toBe(400);
      const look = await http(server.url, 'GET /api/conversations/forged', { userId: 'alice' });
      expect(look.status).toBe(404);
    },
  );
});

describe('Headers', () => {
  test.each([
    ['/', "script-src 'self'"],
    ['/api/ws/health/live', "default-src 'none'"],
    ['/api/nope', "default-src 'none'"],
    [`${SOCKET_PATH}/?EIO=4&transport=polling`, "default-src 'none'"],
    ['/api/docs', "style-src 'self' 'unsafe-inline'"],
  ])('of %s: a policy with %s, and no fingerprint', async (path, part) => {
    const { headers } = await fetch(server.url + path);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain(part);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')?.includes('no-store') ?? false).toBe(part.includes('none'));
    expect([headers.get('x-powered-by'), headers.get('server')]).toEqual([null, null]);
    expect(headers.get('strict-transport-security')).toBeNull();
  });
});

describe('What is too much or no HTTP (P11)', () => {
  test('a small body that unpacks to a large one is payload_too_large', async () => {
    const body = gzipSync(JSON.stringify({ id: 'x'.repeat(50_000_000) }));
    const response = await fetch(`${server.url}/api/conversations`, {
      ...{ method: 'POST', body },
      headers: {
        authorization: `Bearer ${await tokenFor('alice')}`,
        ...{ 'content-type': 'application/json', 'content-encoding': 'gzip' },
      },
    });
    expect(response.status).toBe(413);
    expect((await response.json()) as Problem).toMatchObject({ code: 'payload_too_large' });
  });

  test.each([
    [431, `GET /?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 'payload_too_large'],
    [431, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 'payload_too_large'],
    [400, 'GET / HTTP/9.9\r\n\r\n', 'invalid_payload'],
    [
      400,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'invalid_payload',
    ],
  ])('%i: a problem body', async (status, bytes, code) => {
    const [head = '', body = ''] = (await exchange(server.url, bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const problem = JSON.parse(body) as Problem;
    expect(problem).toMatchObject({ code, status });
    const faults = ['this is not a valid HTTP request'];
    expect(problem.details).toEqual(status === 400 ? { faults } : undefined);
  });

  test('a polling body above four times MAX_PAYLOAD_BYTES is cut, chunked as well', async () => {
    const opened = await (await polling({})).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const head = `POST ${SOCKET_PATH}/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n`;
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname).setEncoding('latin1');
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(6)}`);
    const [heard] = (await once(socket, 'data')) as [string];
    socket.destroy();
    expect(heard).toMatch(/^HTTP\/1\.1 413 /);
  });
});

test('a polling body whose length is false opens no other connection to harm (P11)', async () => {
  const opened = await (await polling({})).text();
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  const head = `POST ${SOCKET_PATH}/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n`;
  for (const length of ['-1', '1\r\nContent-Length: 2', '0x10', '99999999999999999999999']) {
    const bytes = `${head}Content-Length: ${length}\r\n\r\n2`;
    expect([length, await exchange(server.url, bytes)]).toEqual([
      length,
      expect.stringMatching(/^HTTP\/1\.1 4(?:00|13) /),
    ]);
  }
});

test.each(['sid=nope', 'transport=carrier', 'EIO=3', 'sid=a&sid=b', 'transport[a]=b'])(
  'The refusal of ?%s says no more than what is wrong (P11)',
  async (query) => {
    for (const method of ['GET', 'POST', 'PUT']) {
      const given = query.startsWith('transport') ? query : `transport=polling&${query}`;
      const response = await fetch(`${server.url}${SOCKET_PATH}/?${given}`, { method });
      expect(response.status).toBe(400);
      const problem =
        /^\{"type":"[^"]+","title":"[^"]+","status":400,"detail":"[^"]+","code":"invalid_payload"/;
      expect(await response.text()).toMatch(problem);
      expect([response.headers.get('server'), response.headers.get('x-powered-by')]).toEqual([null, null]);
    }
  },
);

describe('A slow client', () => {
  const times = { headersMs: 100, requestMs: 200, keepAliveMs: 100, unreadMs: 500, checkMs: 20 };
  const LARGE = 32 * 1024 * 1024;
  let small: Server;
  let url: string;
  beforeAll(async () => {
    small = createServer((request, response) => {
      request.resume().once('end', () => {
        if (request.url === '/large') return void response.end(Buffer.alloc(LARGE));
        if (request.url !== '/stream') return void response.end('whole');
        response.write('begin ');
        // Ten checks and both timeouts later.
        setTimeout(() => response.end('end'), 500);
      });
    });
    guardListener(small, times);
    small.listen(0, '127.0.0.1');
    await once(small, 'listening');
    url = `http://127.0.0.1:${(small.address() as AddressInfo).port}`;
  });
  afterAll(() => small.close());

  test('a connection that sends nothing, or headers without end, is closed', async () => {
    expect(await exchange(url, '')).toMatch(/^HTTP\/1\.1 408 |^$/);
    expect(await exchange(url, 'GET / HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('an expectation that cannot be met is answered by a problem', async () => {
    const heard = await exchange(server.url, 'GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n');
    expect(heard).toMatch(/^HTTP\/1\.1 417 [^]*application\/problem\+json[^]*"code":"invalid_payload"/);
    expect(heard).toContain('"details":{"faults":["the Expect header cannot be satisfied"]}');
  });

  test('a body that does not come is answered by 408', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx';
    const [first = '', body = ''] = (await exchange(url, head)).split('\r\n\r\n');
    expect(first).toMatch(/^HTTP\/1\.1 408 /);
    expect(JSON.parse(body)).toMatchObject({ code: 'timeout' });
  });

  test('an answer that lasts longer than all of these is not cut', async () => {
    expect(await (await fetch(`${url}/stream`)).text()).toBe('begin end');
  });

  test('a client that does not read its response is cut, and one that reads slowly is not (P7)', async () => {
    const { hostname, port } = new URL(url);
    const [stuck, slow] = [connect(Number(port), hostname), connect(Number(port), hostname)];
    for (const socket of [stuck, slow]) socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
    stuck.on('error', () => undefined).pause();
    // Ten pauses, each shorter than the timeout, and together longer.
    let [read, pauses] = [0, 0];
    for await (const part of slow as AsyncIterable<Buffer>) {
      read += part.length;
      if (read > LARGE) break;
      if (read > (pauses * LARGE) / 10) await delay(100, (pauses += 1));
    }
    expect([read > LARGE, pauses]).toEqual([true, 10]);
    const connections = promisify(small.getConnections.bind(small));
    await eventually(async () => (await connections()) === 0, 'the end of both connections');
    stuck.destroy();
  });

  test('a connection that asks for nothing more is closed', async () => {
    const begun = performance.now();
    expect(await exchange(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/whole$/);
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe('A request that asks for HTTP/2 on a plain connection, as curl --http2 and Java do, is served by HTTP/1.1', () => {
  const asks =
    'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__';
  /** Status line and body of the response to the same request with and without the headers that ask. */
  async function both(line: string, headers: readonly string[] = [], body = ''): Promise<[string, string][]> {
    const { host } = new URL(server.url);
    const request = (connection: string): string =>
      [line, `Host: ${host}`, connection, ...headers, '', body].join('\r\n');
    const texts = [
      await exchange(server.url, request('Connection: close')),
      await exchange(server.url, request(asks)),
    ];
    return texts.map((text) => [text.split('\r\n')[0] ?? '', text.slice(text.indexOf('\r\n\r\n') + 4)]);
  }

  test('a GET, and a POST with its body', async () => {
    const [plain, asking] = await both('GET /api/ws/health/live HTTP/1.1');
    expect(plain?.[0]).toBe('HTTP/1.1 200 OK');
    expect(asking?.[0]).toBe('HTTP/1.1 200 OK');
    const body = JSON.stringify({ title: 'x'.repeat(100) });
    const authorization = `Authorization: Bearer ${await tokenFor('ann')}`;
    const headers = [authorization, `Content-Length: ${body.length}`, 'Content-Type: application/json'];
    const posted = await both('POST /api/conversations HTTP/1.1', headers, body);
    for (const response of posted) {
      expect(response).toEqual(['HTTP/1.1 201 Created', expect.stringContaining('x'.repeat(100))]);
    }
  });

  test('also on the path of Socket.IO, where WebSockets still work', async () => {
    const [plain, asking] = await both(`GET ${SOCKET_PATH}/?EIO=4&transport=polling HTTP/1.1`);
    expect(plain?.[1]).toContain('"sid"');
    expect(asking?.[0]).toBe('HTTP/1.1 200 OK');
    expect(asking?.[1]).toContain('"sid"');
    expect(await upgrade()).toContain('101 Switching Protocols');
  });

  test('but not with more headers than Node hands on, of which one may be the length of the body', async () => {
    const many = Array.from({ length: 100 }, (_, n) => `X-${n}: 1`);
    const [, asking] = await both('POST /api/conversations HTTP/1.1', [...many, 'Content-Length: 2'], '{}');
    expect(asking).toEqual(['', '']);
  });
});
