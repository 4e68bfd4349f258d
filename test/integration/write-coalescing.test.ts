import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { Server, type Socket as ServerSocket } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { coalesceWrites } from '../../src/gateway/engine/write-coalescing.js';
import type { EngineServer } from '../../src/gateway/engine/engine.js';

const TOLD = ['one', 'two', 'three'];

let http: HttpServer;
let server: Server;
let client: Socket;
/** The network's streams of the WebSockets, as they came. */
let networks: TcpSocket[];

beforeEach(async () => {
  http = createServer();
  networks = [];
  http.on('upgrade', (_request, network: TcpSocket) => networks.push(network));
  server = new Server(http);
  (server.engine as object as EngineServer).on('connection', coalesceWrites);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
});

afterEach(async () => {
  client.close();
  await server.close();
});

/** What comes with the next `event` on the client. */
function next(event: string): Promise<unknown[]> {
  return new Promise((resolve) => client.once(event, (...payload: unknown[]) => resolve(payload)));
}

/** Connects a client. @returns the server's end, and what the client hears. */
async function connect(transports: string[]): Promise<{ socket: ServerSocket; heard: unknown[] }> {
  const arrived = once(server, 'connection') as Promise<[ServerSocket]>;
  client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    transports,
    reconnection: false,
  });
  const heard: unknown[] = [];
  client.on('told', (what) => heard.push(what));
  await next('connect');
  return { socket: (await arrived)[0], heard };
}

/** Counts what Node gives to the operating system. */
function countWrites(network: TcpSocket): () => number {
  const one = vi.spyOn(network, '_write');
  const several = vi.spyOn(network, '_writev');
  return () => one.mock.calls.length + several.mock.calls.length;
}

function tell(socket: ServerSocket): void {
  // To the socket, and to a room as a frame that is encoded before: two roads of engine.io.
  socket.emit('told', 'one');
  server.to(socket.id).emit('told', 'two');
  // Another promise of the same turn.
  void Promise.resolve().then(() => socket.emit('told', 'three'));
}

async function untilHeard(heard: unknown[]): Promise<void> {
  while (heard.length < TOLD.length) await next('told');
}

test.each([
  ['a WebSocket', ['websocket']],
  ['a WebSocket that began as polling', ['polling', 'websocket']],
])('What is sent to %s within one turn is one write, in order', async (_what, transports) => {
  const { socket, heard } = await connect(transports);
  if (socket.conn.transport.name === 'polling') await once(socket.conn, 'upgrade');
  const writes = countWrites(networks.at(-1) as TcpSocket);
  tell(socket);
  await untilHeard(heard);
  expect(heard).toEqual(TOLD);
  expect(writes()).toBe(1);
});

test('Turn after turn, everything comes', async () => {
  const { socket, heard } = await connect(['websocket']);
  const sent = Array.from({ length: 1000 }, (_, index) => index);
  for (const index of sent) {
    socket.emit('told', index);
    if (index % 7 === 0) await new Promise(setImmediate);
  }
  while (heard.length < sent.length) await next('told');
  expect(heard).toEqual(sent);
});

test('Long polling gets it as ever', async () => {
  const { socket, heard } = await connect(['polling']);
  tell(socket);
  await untilHeard(heard);
  expect(heard).toEqual(TOLD);
});

test('What was sent in the same turn arrives before a close (P12)', async () => {
  const { socket, heard } = await connect(['websocket']);
  const gone = next('disconnect');
  socket.emit('told', 'one');
  socket.emit('told', 'two');
  socket.conn.close();
  expect(await gone).toMatchObject(['transport close', {}]);
  expect(heard).toEqual(['one', 'two']);
});
