import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { nginxPath } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser } from '../support/stream-readers.js';

const SHORT = 'words:30';
const STUCK = 'stall:1';
const MAX_PAYLOAD_BYTES = 65_536;

describe.skipIf(!nginxPath())('behind nginx with the configuration of deploy/nginx', () => {
  let llm: LlmServer;
  let server: TestServer;
  let nginx: Nginx;
  let alice: HttpUser;

  beforeAll(async () => {
    llm = await startLlmServer();
    server = await startServer({
      env: {
        ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: SHORT, LLM_MODELS: STUCK },
        ...{ STREAM_MAX_PER_USER: '100', STREAM_CHUNK_DELAY_MS: '5', GUEST_ACCESS: 'true' },
      },
    });
    nginx = await startNginx(server.url);
    alice = await HttpUser.of(nginx.url, 'alice');
  });

  afterAll(async () => {
    await nginx?.stop();
    await server?.stop();
    await llm?.close();
  });

  test.each(['websocket', 'polling'] as const)(
    'a socket by %s alone joins, asks and hears the answer',
    async (transport) => {
      const client = await TestClient.connect(nginx.url, `by-${transport}`, { transports: [transport] });
      const conversationId = `nginx-${transport}`;
      await client.ask('conversation:join', { conversationId });
      await client.ask('message:send', { conversationId, clientMessageId: 'one', content: 'Well?' });
      const answer = await client.waitFor('message:new', ({ role }) => role === 'assistant');
      expect(answer.content).toBe(wordsText(30));
      expect(client.socket.io.engine.transport.name).toBe(transport);
      client.close();
    },
  );

  test.each(['sse', 'http'] as const)('an answer by %s arrives while it is produced (P6)', async (format) => {
    const conversationId = await alice.conversation(`nginx-stuck-${format}`);
    const viewer = await alice.ask(format, { conversationId, message: 'Well?', model: STUCK });
    expect(viewer.incoming.headers).toMatchObject({ 'cache-control': 'no-cache, no-transform' });
    expect(viewer.incoming.headers['content-encoding']).toBeUndefined();
    // The model says one word, and then nothing more until it is cancelled: less than nginx would gather.
    await viewer.until(() => viewer.text.includes('"The "'));
    expect((await alice.json('POST', `/api/ws/stream/${viewer.streamId}/cancel`)).status).toBe(200);
    await viewer.closed();
    expect(viewer.chunks.at(-1)?.type).toBe('cancelled');
  });

  test('an SSE reader that was cut comes back by Last-Event-ID and misses nothing (P4)', async () => {
    const conversationId = await alice.conversation('nginx-cut');
    const first = await alice.ask('sse', { conversationId, message: 'Well?', model: STUCK });
    await first.until(() => first.text.includes('"The "'));
    first.cut();
    const second = await alice.attach('sse', first.streamId, { lastEventId: first.ids.at(-1) as string });
    await alice.json('POST', `/api/ws/stream/${first.streamId}/cancel`);
    await second.closed();
    expect(answerOf([...first.chunks, ...second.chunks])).toBe(wordsText(1));
  });

  test('a body beyond MAX_PAYLOAD_BYTES is refused by the service, one beyond four times it by nginx (P11)', async () => {
    const conversationId = await alice.conversation('nginx-large');
    const send = (bytes: number) =>
      fetch(`${nginx.url}/api/conversations/${conversationId}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ clientMessageId: 'large', content: 'x'.repeat(bytes) }),
      });
    const refused = await send(2 * MAX_PAYLOAD_BYTES);
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ code: 'payload_too_large' });
    const stopped = await send(4 * MAX_PAYLOAD_BYTES);
    expect(stopped.status).toBe(413);
    expect(stopped.headers.get('content-type')).toContain('text/html');
  });

  test('tickets are in neither of its logs, also while the service is away (P11)', async () => {
    const conversationId = await alice.conversation('nginx-ticket');
    const asked = await alice.ask('sse', { conversationId, message: 'Well?' });
    await asked.closed();
    const { body } = await alice.json<{ ticket: string }>('POST', '/api/auth/ticket', {
      streamId: asked.streamId,
    });
    const path = `/api/ws/stream/${asked.streamId}/sse`;
    const read = await fetch(`${nginx.url}${path}?ticket=${body.ticket}`);
    expect(await read.text()).toContain('event: complete');
    const away = await startNginx('http://127.0.0.1:9');
    try {
      await expect(fetch(`${away.url}${path}?ticket=${body.ticket}`)).rejects.toThrow('fetch failed');
      await eventually(async () => (await away.accessLog()).includes(`GET ${path}`), 'it is logged');
      expect((await away.accessLog()) + (await away.errorLog())).not.toContain('ticket=');
    } finally {
      await away.stop();
    }
    await eventually(async () => (await nginx.accessLog()).includes(`GET ${path}`), 'it is logged');
    expect(await nginx.accessLog()).not.toContain('ticket=');
  });

  test('while the service is down an EventSource keeps retrying, and other clients get 502 (P12)', async () => {
    const away = await startNginx('http://127.0.0.1:9');
    try {
      const source = new EventSource(`${away.url}/api/ws/stream/some-stream/sse`);
      const state = await new Promise((resolve) => {
        source.addEventListener('error', () => resolve(source.readyState));
      });
      source.close();
      expect(state).toBe(EventSource.CONNECTING);
      const others = ['GET /api/ws/stream/some-stream/http', 'POST /api/ws/stream/sse', 'GET /api/ws/health'];
      const statuses = others.map(async (route) => {
        const [method = '', path = ''] = route.split(' ');
        return (await fetch(away.url + path, { method })).status;
      });
      expect(await Promise.all(statuses)).toEqual([502, 502, 502]);
    } finally {
      await away.stop();
    }
  });

  test.each([
    ['its own origin passes', () => nginx.url, 200],
    ['another port is refused', () => 'http://127.0.0.1:1', 403],
    ['another site is refused', () => 'https://evil.example', 403],
  ])(
    'a page of %s: the service sees the host and the port that the browser asked for (P10)',
    async (_what, origin, status) => {
      const path = `${SOCKET_PATH}/?EIO=4&transport=polling`;
      const { status: got } = await fetch(nginx.url + path, { headers: { origin: origin() } });
      expect(got).toBe(status);
    },
  );

  test('an ordinary request keeps its path, its answer and its connection', async () => {
    const ready = await fetch(`${nginx.url}/api/ws/health/ready`);
    expect(ready.status).toBe(200);
    const page = await fetch(nginx.url);
    expect(await page.text()).toContain('<title>');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  });
});
