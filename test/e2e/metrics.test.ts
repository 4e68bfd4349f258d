import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { samplesOf, scrape, sumOf, type Sample } from '../support/metrics-page.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';

const TOKEN = 'a-token-for-prometheus';
let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    env: { METRICS_TOKEN: TOKEN, RATE_LIMIT_ENABLED: 'false', STREAM_CHUNK_DELAY_MS: '0' },
  });
});

afterAll(() => stopCleanly(server));

async function scrapeUntil(fits: (samples: Sample[]) => boolean): Promise<Sample[]> {
  let samples: Sample[] = [];
  await eventually(async () => fits((samples = await scrape(server.url))), 'the metrics that were expected');
  return samples;
}

async function statusWith(authorization: string | undefined, url = `${server.url}/metrics`): Promise<number> {
  const response = await fetch(url, { headers: { ...(authorization !== undefined && { authorization }) } });
  await response.text();
  return response.status;
}

/** What is answered to bytes that are no HTTP. */
function answerToNoHttp(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write('nonsense\r\n\r\n');
  return text(socket);
}

test('only admins and METRICS_TOKEN read the metrics (P10)', async () => {
  expect(await statusWith(undefined)).toBe(401);
  expect(await statusWith('Bearer nonsense')).toBe(401);
  expect(await statusWith(`Bearer ${TOKEN}x`)).toBe(401);
  expect(await statusWith(TOKEN)).toBe(401);
  expect(await statusWith(`Bearer ${await tokenFor('alice')}`)).toBe(403);
  expect(await statusWith(`bearer  ${TOKEN} `)).toBe(200);
  expect(await statusWith(`Bearer ${await tokenFor('root', { roles: ['admin'] })}`)).toBe(200);
});

test('the page is in the format of Prometheus, and is not kept', async () => {
  const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  const samples = samplesOf(await response.text());
  expect(sumOf(samples, 'process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(sumOf(samples, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
});

test('a connection is counted by its transport of now, also after an upgrade', async () => {
  const before = await scrape(server.url);
  const polling = await TestClient.connect(server.url, 'poll', { transports: ['polling'] });
  const upgraded = await TestClient.connect(server.url, 'up', { transports: ['polling', 'websocket'] });
  const { engine } = upgraded.socket.io;
  if (engine.transport.name === 'polling') await once(engine as never, 'upgrade');
  const native = await TestClient.connect(server.url, 'up');
  const now = await scrapeUntil(
    (samples) => sumOf(samples, 'streamgate_connections', { transport: 'websocket' }) === 2,
  );
  expect(sumOf(now, 'streamgate_connections', { transport: 'polling' })).toBe(1);
  expect(sumOf(now, 'streamgate_connected_users')).toBe(2);
  expect(sumOf(now, 'streamgate_upgrades_total') - sumOf(before, 'streamgate_upgrades_total')).toBe(1);
  for (const client of [polling, upgraded, native]) client.close();
  const left = await scrapeUntil((samples) => sumOf(samples, 'streamgate_connections') === 0);
  expect(sumOf(left, 'streamgate_disconnects_total', { reason: 'client' })).toBe(3);
});

test('an event is counted once by its answer, and timed; a message, its commit and what waits are counted', async () => {
  const ann = await TestClient.connect(server.url, 'ann');
  const conversationId = 'counted';
  await ann.ask('conversation:join', { conversationId, access: 'link' });
  await http(server.url, `PUT /api/conversations/${conversationId}/members/bob`, { userId: 'ann' });
  const send = { conversationId, clientMessageId: 'm1', content: 'Hello.', respond: false };
  await ann.ask('message:send', send);
  await ann.ask('message:send', send);
  await ann.raw('message:send', { ...send, conversationId: 'not-hers' });
  const samples = await scrape(server.url);
  const sent = { event: 'message:send' };
  expect(sumOf(samples, 'streamgate_events_total', { ...sent, outcome: 'ok' })).toBe(2);
  expect(sumOf(samples, 'streamgate_events_total', { ...sent, outcome: 'not_found' })).toBe(1);
  expect(sumOf(samples, 'streamgate_event_duration_seconds_count', sent)).toBe(3);
  expect(sumOf(samples, 'streamgate_events_in_progress')).toBe(0);
  expect(sumOf(samples, 'streamgate_messages_total', { outcome: 'stored' })).toBe(1);
  expect(sumOf(samples, 'streamgate_messages_total', { outcome: 'duplicate' })).toBe(1);
  expect(sumOf(samples, 'streamgate_commit_items_sum', { log: 'messages' })).toBe(3);
  expect(sumOf(samples, 'streamgate_commit_waiting', { log: 'messages' })).toBe(0);
  expect(sumOf(samples, 'streamgate_relay_published_total', { kind: 'conversation' })).toBeGreaterThan(0);
  // The queue was counted a moment ago, and is counted again after five seconds.
  const later = await scrapeUntil(
    (found) => sumOf(found, 'streamgate_queue_deliveries', { state: 'queued' }) === 1,
  );
  expect(sumOf(later, 'streamgate_queue_users')).toBe(1);
  expect(sumOf(later, 'streamgate_queue_oldest_seconds')).toBeGreaterThan(0);
  ann.close();
});

test('no client makes new series: made-up events, paths, methods and codes are counted together (P7)', async () => {
  const eve = await TestClient.connect(server.url, 'eve');
  const flood = async (round: number): Promise<void> => {
    const asked = [...Array(40).keys()].map((n) => {
      const name = `x:${round}:${n}`;
      return Promise.all([
        eve.raw(name, { code: name }),
        eve.raw('message:send', { [name]: name }),
        eve.raw('conversation:join', { conversationId: name, access: 'link' }),
        fetch(`${server.url}/${name}/${round}?${name}`),
        fetch(`${server.url}/api/ws/stream/${name}/status`),
        http(server.url, `GET /api/conversations/not-${encodeURIComponent(name)}`, { userId: 'eve' }),
        fetch(`${server.url}/api/${name}`, { method: 'MKCALENDAR' }),
      ]);
    });
    await Promise.all(asked);
  };
  const series = async (): Promise<string[]> => {
    const samples = await scrape(server.url);
    return samples
      .filter(({ name }) => name.startsWith('streamgate_'))
      .map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
  };
  await scrape(server.url);
  await flood(0);
  const before = await series();
  for (let round = 1; round <= 5; round += 1) await flood(round);
  expect(new Set(await series())).toEqual(new Set(before));
  const samples = await scrape(server.url);
  expect(sumOf(samples, 'streamgate_events_total', { event: 'unknown', outcome: 'invalid_payload' })).toBe(
    240,
  );
  const route = '/api/ws/stream/:streamId/status';
  expect(sumOf(samples, 'streamgate_http_requests_total', { route, status: '4xx', method: 'GET' })).toBe(240);
  expect(sumOf(samples, 'streamgate_http_requests_total', { route: 'other', method: 'other' })).toBe(240);
  eve.close();
});

test('with METRICS_PORT the metrics are there alone: open, or with METRICS_TOKEN', async () => {
  for (const [env, open] of [
    [{}, true],
    [{ METRICS_TOKEN: TOKEN }, false],
  ] as const) {
    const own = await startServer({ env: { METRICS_PORT: '0', ...env } });
    const page = /Metrics\s+(\S+)/.exec(own.output())?.[1] ?? '';
    expect(new URL(page).port).not.toBe(new URL(own.url).port);
    expect(await statusWith(undefined, page)).toBe(open ? 200 : 401);
    expect(await statusWith(`Bearer ${TOKEN}`, page)).toBe(200);
    expect(await statusWith(undefined, page.replace('/metrics', '/other'))).toBe(404);
    expect(await answerToNoHttp(page)).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json/);
    const admin = await tokenFor('root', { roles: ['admin'] });
    expect(await statusWith(`Bearer ${admin}`, `${own.url}/metrics`)).toBe(404);
    expect(await statusWith(`Bearer ${admin}`, page)).toBe(open ? 200 : 401);
    await stopCleanly(own);
  }
});
