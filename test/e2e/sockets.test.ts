import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Server, type Socket } from 'socket.io';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Connections } from '../../src/gateway/connections/connections.js';
import type { Connection } from '../../src/gateway/connections/connection.js';
import { RawWebSocket, textFrame } from '../fuzz/frames.js';
import { startApp, type TestApp } from '../support/app.js';
import { TestClient, tokenFor, type ClientOptions } from '../support/client.js';
import { eventually } from '../support/eventually.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let service: TestApp;
let connections: Connections;
/** What guards and interceptors of Nest saw that was no HTTP request: the user of the socket, and the payload. */
const seenByNest: unknown[] = [];

function see(context: ExecutionContext): void {
  if (context.getType() === 'http') return;
  const [socket, payload] = context.getArgs<[Socket, unknown]>();
  seenByNest.push([(socket.data as Connection).userId, payload]);
}

beforeAll(async () => {
  service = await startApp({ RATE_LIMIT_ENABLED: 'false', MAX_CONNECTIONS_PER_USER: '1000' }, (app) => {
    app.useGlobalGuards({
      canActivate: (context) => {
        see(context);
        return true;
      },
    });
    app.useGlobalInterceptors({
      intercept: (context: ExecutionContext, next: CallHandler) => {
        see(context);
        return next.handle();
      },
    });
  });
  connections = service.app.get(Connections);
});
afterAll(() => service.stop());

const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await eventually(() => connections.size === 0, 'no connection is left');
});

async function connect(userId: string, options?: ClientOptions): Promise<TestClient> {
  const client = await TestClient.connect(service.url, userId, options);
  ends.push(() => client.close());
  return client;
}

/** The server's side of a client. */
function connectionOf(client: TestClient): Connection {
  const connection = connections.get(client.socket.id as string);
  if (!connection) throw new Error('the client is not connected');
  return connection;
}

test('Guards and interceptors see HTTP requests only: events do not reach them', async () => {
  const alice = await connect('alice');
  const bob = await connect('bob');
  await alice.ask('ping', 'from alice');
  await bob.ask('ping', 'from bob');
  expect(seenByNest).toEqual([]);
});

test('A client that leaves the namespace keeps neither its transport nor its place (P7)', async () => {
  const { engine } = service.app.get(Server);
  await eventually(() => engine.clientsCount === 0, 'no transport is open');
  const client = await RawWebSocket.open(service.url);
  ends.push(() => client.cut());
  await client.connect(await tokenFor('leaver'));
  expect(engine.clientsCount).toBe(1);
  client.send([textFrame('41')]);
  await eventually(() => client.isClosing, 'the transport is closed');
  await eventually(() => engine.clientsCount === 0, 'its place is free');
});

test('No closed socket is retained (P7)', async () => {
  const sockets: WeakRef<Socket>[] = [];
  for (let n = 0; n < 3; n += 1) {
    const client = await connect(`user-${n}`);
    await client.ask('ping', n);
    sockets.push(new WeakRef(connectionOf(client).socket));
  }
  for (const end of ends.splice(0)) end();
  await eventually(() => {
    collectGarbage();
    return sockets.every((socket) => socket.deref() === undefined);
  }, 'every socket is collected');
});

test('The handshake and the request of a connected socket are of their types, without headers and token', async () => {
  const { socket } = connectionOf(await connect('alice', { extraHeaders: { cookie: 'a=b' } }));
  expect(socket.handshake).toMatchObject({ headers: {}, query: {}, auth: {}, address: '', url: '' });
  expect(JSON.stringify(socket.handshake)).not.toMatch(/cookie|token/);
  for (const request of [socket.request, socket.conn.request]) {
    expect(request).toBeInstanceOf(IncomingMessage);
    expect(request.headers).toEqual({});
  }
});

test('A connection does not keep the request that it began with (P7)', async () => {
  const COOKIE_BYTES = 12_000;
  await bytesPerConnection(0);
  const without = await bytesPerConnection(0);
  const withCookie = await bytesPerConnection(COOKIE_BYTES);
  expect(withCookie - without).toBeLessThan(COOKIE_BYTES / 4);
});

test('A disconnect listener that other code adds first changes nothing', async () => {
  const { nsp } = connectionOf(await connect('first')).socket;
  let isHeard = false;
  nsp.use((socket, next) => {
    socket.on('disconnect', () => (isHeard = true));
    next();
  });
  const alice = await connect('alice');
  alice.close();
  await eventually(() => connections.ofUser('alice').length === 0, 'the connection is forgotten');
  expect(isHeard).toBe(true);
});

/** Heap that a connection takes on both sides, when its handshake had a cookie of so many bytes. */
async function bytesPerConnection(cookieBytes: number): Promise<number> {
  const COUNT = 200;
  const token = await tokenFor('crowd');
  const clients: RawWebSocket[] = [];
  const before = heapUsed();
  for (let n = 0; n < COUNT; n += 1) {
    const cookie = `${n}=${'x'.repeat(cookieBytes)}`;
    const client = await RawWebSocket.open(service.url, [['Cookie', cookie]]);
    clients.push(client);
    await client.connect(token);
  }
  const after = heapUsed();
  expect(connections.size).toBe(COUNT);
  for (const client of clients) client.cut();
  await eventually(() => connections.size === 0, 'no connection is left');
  return (after - before) / COUNT;
}

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
