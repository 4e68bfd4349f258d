import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { Acceptors, CAN_REUSE_PORT, listenOptions } from '../../src/platform/http/acceptors.js';
import { eventually } from '../support/eventually.js';

const HANDLES = 7;
const KNOCKING = 40;

let server: Server;
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

async function listen(): Promise<AddressInfo> {
  server = createServer((_request, response) => response.end('here'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address() as AddressInfo;
}

async function connectionsOf(one: Server): Promise<number> {
  return promisify(one.getConnections.bind(one))();
}

/** Lets clients knock at once, and counts the turns of the event loop until all are in. */
async function turnsFor({ port }: AddressInfo): Promise<number> {
  const taken: Socket[] = [];
  server.on('connection', (socket) => taken.push(socket));
  for (let n = 0; n < KNOCKING; n += 1) sockets.push(connect(port, '127.0.0.1'));
  let turns = 0;
  for (; taken.length < KNOCKING; turns += 1) await nextTurn();
  return turns;
}

test('The port of another process is refused, whether or not this Node can reuse ports', async () => {
  const { port } = await listen();
  const next = createServer();
  const options = listenOptions(port, '127.0.0.1', HANDLES).then(async (found) => {
    next.listen(found);
    await once(next, 'listening');
  });
  await expect(options).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('Without further handles the port is not reused, and nothing is opened', async () => {
  expect(await listenOptions(0, '127.0.0.1', 0)).toEqual({ port: 0, host: '127.0.0.1', reusePort: false });
  const address = await listen();
  const acceptors = new Acceptors(server);
  await acceptors.open(0);
  server.close();
  await once(server, 'close');
  const next = createServer().listen(address.port, '127.0.0.1');
  await once(next, 'listening');
  next.close();
});

test('Handles that this Node opens accept connections for the server', async () => {
  server = createServer((_request, response) => response.end('here'));
  const options = await listenOptions(0, '127.0.0.1', HANDLES);
  expect(options.reusePort).toBe(CAN_REUSE_PORT);
  server.listen(options);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const acceptors = new Acceptors(server);
  await acceptors.open(HANDLES, options.reusePort);
  for (let n = 0; n < 4 * HANDLES; n += 1) {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    expect(await response.text()).toBe('here');
  }
  acceptors.close();
  server.close();
  await once(server, 'close');
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed');
});

test('A turn takes in as many connections as there are handles', async () => {
  const address = await listen();
  const alone = await turnsFor(address);
  server.removeAllListeners('connection');
  await new Acceptors(server).open(HANDLES);
  expect(await turnsFor(address)).toBeLessThan(alone / 2);
});

test('What they take in is answered by the server, and with them it lets go of the port', async () => {
  const address = await listen();
  const acceptors = new Acceptors(server);
  await acceptors.open(HANDLES);
  const ask = () => fetch(`http://127.0.0.1:${address.port}/`, { headers: { connection: 'close' } });
  for (let n = 0; n < 2 * HANDLES; n += 1) expect(await (await ask()).text()).toBe('here');
  server.close();
  expect(await (await ask()).text()).toBe('here');
  acceptors.close();
  await expect(ask()).rejects.toThrow('fetch failed');
  const next = createServer().listen(address.port, '127.0.0.1');
  await once(next, 'listening');
  next.close();
});

test('A server is not closed before the last connection that they took in', async () => {
  const address = await listen();
  const acceptors = new Acceptors(server);
  await acceptors.open(HANDLES);
  await turnsFor(address);
  let closed = false;
  server.once('close', () => (closed = true));
  acceptors.close();
  server.close();
  const [last, ...others] = sockets.splice(0);
  for (const socket of others) socket.destroy();
  await eventually(async () => (await connectionsOf(server)) === 1, 'all but one to go');
  expect(closed).toBe(false);
  last?.destroy();
  await once(server, 'close');
});

test('Closing them while they open frees the port', async () => {
  const address = await listen();
  const acceptors = new Acceptors(server);
  const opening = acceptors.open(HANDLES);
  acceptors.close();
  server.close();
  await opening;
  const next = createServer().listen(address.port, '127.0.0.1');
  await once(next, 'listening');
  next.close();
});
