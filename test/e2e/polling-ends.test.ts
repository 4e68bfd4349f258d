import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';

const CLIENTS = 10;

let server: TestServer;
let proxy: Server;
let url: string;
/** Status of each response of long polling, and requests without one yet. */
let statuses: number[];
let pending: number;

beforeAll(async () => {
  server = await startServer({ env: { RATE_LIMIT_ENABLED: 'false' } });
  proxy = createServer((incoming, outgoing) => {
    pending += 1;
    const { method, headers, url: path } = incoming;
    const onward = request(`${server.url}${path}`, { method, headers }, (response) => {
      statuses.push(response.statusCode ?? 0);
      outgoing.writeHead(response.statusCode ?? 0, response.headers);
      response.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    onward.on('close', () => (pending -= 1));
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});

afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await server.stop();
});

beforeEach(() => {
  statuses = [];
  pending = 0;
});

const polling = (userId: string): Promise<TestClient> =>
  TestClient.connect(url, userId, { transports: ['polling'] });

/** That every request was served, and nothing was counted as a fault. */
async function expectNoFault(): Promise<void> {
  await eventually(() => pending === 0, 'the end of all requests');
  expect(statuses.filter((status) => status >= 400)).toEqual([]);
  const page = await http(server.url, 'GET /metrics', { userId: 'admin', roles: ['admin'] });
  expect(await page.text()).not.toMatch(/streamgate_handshake_refusals_total\{/);
}

test('disconnect() over long polling makes no error: its last requests find their session', async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => polling(`user${n}`)));
  for (const client of clients) client.socket.disconnect();
  await expectNoFault();
});

test('disconnect() right after an event, and during a join, makes no error either', async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => polling(`user${n}`)));
  for (const { socket } of clients) {
    socket.emit('conversation:join', { conversationId: 'room', access: 'link' });
    socket.emit('typing:start', { conversationId: 'room' });
    socket.disconnect();
  }
  await expectNoFault();
});

test('A connection that the server closes over long polling makes no error', async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => polling('bob')));
  const closed = clients.map(({ socket }) => new Promise((resolve) => socket.once('disconnect', resolve)));
  await http(server.url, 'POST /api/auth/revocations', {
    userId: 'admin',
    roles: ['admin'],
    body: { sub: 'bob' },
  });
  await Promise.all(closed);
  await expectNoFault();
});
