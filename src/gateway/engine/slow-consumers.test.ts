import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Config } from '../../platform/config/config.js';
import type { Connection } from '../connections/connection.js';
import { SlowConsumers } from './slow-consumers.js';

const MAX = 1000;

/** A WebSocket connection of which a test says how much is unsent. */
function fixture() {
  const websocket = { bufferedAmount: 0, send: vi.fn(), once: vi.fn(), terminate: vi.fn() };
  const engine = Object.assign(new EventEmitter(), {
    ...{ readyState: 'open', transport: { name: 'websocket', socket: websocket }, writeBuffer: [] },
    close: vi.fn(),
  });
  const connection = { id: 'c', userId: 'ann', socket: { conn: engine }, closing: () => ({}) };
  const config = { VIEWER_MAX_BUFFERED_BYTES: MAX } as Config;
  new SlowConsumers(config).onConnect(connection as object as Connection);
  /** Sends a packet while so many bytes are unsent. Returns whether the connection is open then. */
  const send = async (data: string, unsent: number): Promise<boolean> => {
    websocket.bufferedAmount = unsent;
    engine.emit('packetCreate', { type: 'message', data, options: {} });
    await nextTurn();
    return engine.close.mock.calls.length === 0;
  };
  return { send };
}

const small = 'x'.repeat(10);

test('A packet larger than the limit costs no reader its connection, and what waits after it counts (P7)', async () => {
  const { send } = fixture();
  expect(await send('x'.repeat(5 * MAX), 0)).toBe(true);
  expect(await send(small, 5 * MAX)).toBe(true);
  expect(await send(small, 6 * MAX)).toBe(true);
  expect(await send(small, 6 * MAX + 1)).toBe(false);
});

test('A packet of text counts by its bytes', async () => {
  const { send } = fixture();
  expect(await send('日'.repeat(MAX), 0)).toBe(true);
  expect(await send(small, 3 * MAX)).toBe(true);
});

test('Once the large packet has been read, the limit is as before', async () => {
  const { send } = fixture();
  expect(await send('x'.repeat(5 * MAX), 0)).toBe(true);
  expect(await send(small, MAX)).toBe(true);
  expect(await send(small, MAX + 1)).toBe(false);
});

test('A reader that does not read is closed, with large packets too (P7)', async () => {
  const { send } = fixture();
  expect(await send('x'.repeat(5 * MAX), 0)).toBe(true);
  expect(await send('x'.repeat(5 * MAX), 5 * MAX)).toBe(true);
  expect(await send('x'.repeat(5 * MAX), 10 * MAX)).toBe(false);
});
