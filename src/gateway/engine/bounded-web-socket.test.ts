import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { BoundedWebSocketServer } from './bounded-web-socket.js';

const PINGS = 500;

let http: Server;
/** The server's side of the newest connection, and the network below it. */
let side: { webSocket: WebSocket; network: Duplex };

beforeAll(async () => {
  const sockets = new BoundedWebSocketServer({ noServer: true });
  http = createServer().on('upgrade', (request, network, head) => {
    sockets.handleUpgrade(request, network, head, (webSocket) => (side = { webSocket, network }));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
});
afterAll(() => http.close());

test('One message of a client is handled in each turn, however many have arrived (P7)', async () => {
  const MESSAGES = 500;
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  await once(client, 'open');
  let turn = 0;
  const turns: number[] = [];
  const count = (): void => {
    turn += 1;
    if (turns.length < MESSAGES) setImmediate(count);
  };
  const all = new Promise<void>((resolve) =>
    side.webSocket.on('message', () => {
      if (turns.length === 0) setImmediate(count);
      if (turns.push(turn) === MESSAGES) resolve();
    }),
  );
  for (let n = 0; n < MESSAGES; n += 1) client.send('3');
  await all;
  expect(new Set(turns).size).toBeGreaterThan(MESSAGES / 2);
  client.terminate();
});

test('A client that sends pings without reading has a few pongs buffered, not one for each; one that reads gets its own (P7)', async () => {
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  await once(client, 'open');
  const heard: string[] = [];
  client.on('pong', (data) => heard.push(data.toString()));
  // As where nobody reads: nothing that is written is taken.
  side.network.cork();
  for (let n = 0; n < PINGS; n += 1) client.ping(`flood ${n}`);
  client.send('all sent');
  await once(side.webSocket, 'message');
  expect(side.webSocket.bufferedAmount).toBeLessThan(1024);
  side.network.uncork();
  client.ping('still there?');
  await expect.poll(() => heard.at(-1), { timeout: 30_000 }).toBe('still there?');
  expect(heard.length).toBeGreaterThan(1);
  expect(heard.length).toBeLessThan(PINGS / 10);
  client.terminate();
});
