import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { once, type EventEmitter } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { io } from 'socket.io-client';
import { Server as IoServer } from 'socket.io';
import { DataSource } from 'typeorm';
import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { readPage, rowsOf } from '../support/pages.js';

/*
 * One canary for each row of docs/private-apis.md. It fails if an upgrade removes the API of the row. Read the row, adapt the
 * code that it names, and then this test.
 */

type Fields = Record<string, unknown>;

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A Socket.IO server and a client that is connected to it by `transport`. */
async function connected(transport: 'websocket' | 'polling') {
  const http = createServer();
  const server = new IoServer(http);
  const port = await listen(http);
  const accepted = once(server, 'connection');
  const client = io(`http://127.0.0.1:${port}`, { transports: [transport], reconnection: false });
  closers.push(
    () => server.close(),
    () => client.disconnect(),
  );
  const [socket] = (await accepted) as [{ conn: object; handshake: unknown }];
  return { client, server, socket, conn: socket.conn as Fields };
}

const CANARIES: Record<string, () => Promise<void> | void> = {
  'server._handle': async () => {
    const server = createServer();
    await listen(server);
    expect((server as object as Fields)['_handle']).toHaveProperty('fd');
  },
  'server._connections, socket._server': async () => {
    const server = createServer();
    const port = await listen(server);
    const accepted = once(server, 'connection');
    const client = connect(port, '127.0.0.1');
    const [socket] = (await accepted) as [Fields];
    expect((server as object as Fields)['_connections']).toBe(1);
    expect(socket['_server']).toBe(server);
    client.destroy();
    await eventually(() => (server as object as Fields)['_connections'] === 0, 'the count to go down');
  },
  'socket._httpMessage': async () => {
    const server = createServer();
    const port = await listen(server);
    const requested = once(server, 'request');
    const client: Socket = connect(port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [request, response] = (await requested) as [{ socket: object }, ServerResponse];
    expect((request.socket as Fields)['_httpMessage']).toBe(response);
    client.destroy();
  },
  'server.maxHeaderSize, server.connectionsCheckingInterval': async () => {
    const server = createServer({ maxHeaderSize: 4096, connectionsCheckingInterval: 1234 });
    expect(server).toMatchObject({ maxHeaderSize: 4096, connectionsCheckingInterval: 1234 });
    Object.assign(server, { maxHeaderSize: 1024 });
    const port = await listen(server);
    const refused = once(server, 'clientError');
    const client = connect(port, '127.0.0.1');
    client.write(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(2048)}\r\n\r\n`);
    const [error] = (await refused) as [{ code: string }];
    expect(error.code).toBe('HPE_HEADER_OVERFLOW');
    client.destroy();
  },
  'websocket._socket': async () => {
    const { conn } = await connected('websocket');
    const { socket } = conn['transport'] as { socket: Fields };
    expect(socket['_socket']).toMatchObject({
      cork: expect.any(Function) as unknown,
      uncork: expect.any(Function) as unknown,
    });
    expect(socket['bufferedAmount']).toBe(0);
  },
  'engine.writeBuffer, engine.readyState, packetCreate': async () => {
    const { socket, conn } = await connected('websocket');
    expect(conn).toMatchObject({ readyState: 'open', writeBuffer: [] });
    const transport = conn['transport'] as { name: string; writable: boolean; emit: (event: string) => void };
    expect(transport.name).toBe('websocket');
    await eventually(() => transport.writable, 'the transport to be writable');
    let created: unknown;
    (conn['on'] as (event: string, listener: (packet: unknown) => void) => void)('packetCreate', (packet) => {
      created = packet;
      // As `coalesceWrites` does.
      transport.writable = false;
    });
    (socket as unknown as { emit: (event: string) => void }).emit('hello');
    expect(created).toMatchObject({ type: 'message', data: expect.stringContaining('hello') as unknown });
    expect(conn['writeBuffer']).toHaveLength(1);
    transport.writable = true;
    transport.emit('ready');
    expect(conn['writeBuffer']).toHaveLength(0);
  },
  'transport.onData, transport.onError': async () => {
    const { conn } = await connected('polling');
    const transport = conn['transport'] as Fields;
    expect(transport['onData']).toBeTypeOf('function');
    expect(transport['onError']).toBeTypeOf('function');
  },
  'request._query, engine.verify': async () => {
    const http = createServer();
    const server = new IoServer(http);
    closers.push(() => server.close());
    const engine = server.engine as object as Fields;
    const seen: unknown[] = [];
    (engine['use'] as (middleware: unknown) => void)((request: Fields, response: ServerResponse) => {
      seen.push(request['_query']);
      response.end();
    });
    const port = await listen(http);
    await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    expect(seen).toMatchObject([{ EIO: '4', transport: 'polling' }]);
    expect(engine['verify']).toBeTypeOf('function');
    expect(engine['clientsCount']).toBe(0);
  },
  'options.wsPreEncodedFrame': async () => {
    const { conn, client } = await connected('websocket');
    const heard = once(client as object as EventEmitter, 'hello');
    (conn['on'] as (event: string, listener: (packet: Fields) => void) => void)('packetCreate', (packet) => {
      // A text frame, final and unmasked: what is in `data` must not be sent.
      const text = Buffer.from('42["hello","from the frame"]');
      packet['options'] = { wsPreEncodedFrame: [Buffer.from([0x81, text.length]), text] };
    });
    (conn['send'] as (data: string) => void)('2["hello","from the packet"]');
    expect(await heard).toEqual(['from the frame']);
  },
  'app.listen(options)': async () => {
    const app = await NestFactory.create(class Empty {}, { logger: false });
    closers.push(() => app.close());
    await app.listen({ port: 0, host: '127.0.0.1', exclusive: true } as unknown as number);
    const { address } = (app.getHttpServer() as Server).address() as AddressInfo;
    expect(address).toBe('127.0.0.1');
  },
  'driver.master': async () => {
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const source = await new DataSource({ type: 'postgres', url: database.url, entities: [] }).initialize();
    closers.push(() => source.destroy());
    const { master } = source.driver as object as Fields;
    expect(master).toMatchObject({
      idleCount: expect.any(Number) as number,
      totalCount: expect.any(Number) as number,
      waitingCount: 0,
    });
  },
  'reflect keys of Nest': async () => {
    const { surface } = await import('../support/surface.js');
    const { events, routes, inputs } = surface();
    expect(events).toContain('message:send');
    expect(routes).toContain('GET /api/ws/health');
    expect(inputs.length).toBeGreaterThan(40);
  },
};

test.each(Object.entries(CANARIES))('%s is still there', (_api, canary) => canary());

test('docs/private-apis.md has one row and one explanation for each canary', async () => {
  const page = await readPage('docs/private-apis.md');
  const rows = rowsOf(page);
  const listed = rows.map(([api = '']) => api.replaceAll('`', '')).filter((api) => api in CANARIES);
  expect(listed.toSorted()).toEqual(Object.keys(CANARIES).toSorted());
  expect(rows.length - 2).toBe(listed.length);
  const explained = [...page.matchAll(/^- `(.+?)`: /gm)].map(([, api]) => api);
  expect(explained).toEqual(listed);
});
