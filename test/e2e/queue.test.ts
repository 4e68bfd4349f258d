import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { QueueItem } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import {
  conversationOf,
  send,
  connectAway,
  queueRows,
  type Deliver,
  type Delivery,
} from '../support/queue.js';
import { startServer, type TestServer } from '../support/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    env: { QUEUE_ACK_TIMEOUT_MS: '300', QUEUE_MAX_ATTEMPTS: '3', QUEUE_MAX_SIZE: '150' },
  });
});

afterAll(async () => {
  await server.stop();
});

function call(route: Parameters<typeof http>[1], userId: string, body?: object, roles?: string[]) {
  return http(server.url, route, { userId, ...(body && { body }), ...(roles && { roles }) });
}

function contents(items: QueueItem[]): string[] {
  return items.map(({ message }) => message.content);
}

describe('What an absent member missed (P8)', () => {
  test('waits in order, comes in batches of at most 100 with what remains, and leaves on the ack only', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-order', ['bob-order']);
    for (let n = 1; n <= 120; n += 1) await send(ann, 'q-order', `m${n}`);
    const batches: Delivery[] = [];
    const acks: (() => void)[] = [];
    const bob = await connectAway(server, 'bob-order', (delivery, ack) => {
      batches.push(delivery);
      acks.push(ack);
    });
    await eventually(() => batches.length === 1, 'the first batch');
    expect(batches[0]).toMatchObject({ remaining: 20, dropped: 0 });
    expect(contents(batches[0]?.items ?? [])).toEqual(Array.from({ length: 100 }, (_, n) => `m${n + 1}`));
    expect(await queueRows(server, 'bob-order')).toBe(120);
    acks[0]?.();
    await eventually(() => batches.length === 2, 'the second batch');
    expect(contents(batches[1]?.items ?? [])).toEqual(Array.from({ length: 20 }, (_, n) => `m${n + 101}`));
    acks[1]?.();
    await eventually(async () => (await queueRows(server, 'bob-order')) === 0, 'an empty queue');
    bob.close();
    ann.close();
  });

  test('comes at once to a device that is connected and has not joined', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-live', ['bob-live']);
    const got: string[] = [];
    const bob = await connectAway(server, 'bob-live', ({ items }, ack) => {
      got.push(...contents(items));
      ack();
    });
    await send(ann, 'q-live', 'hello');
    await eventually(() => got.length === 1, 'the message');
    await eventually(async () => (await queueRows(server, 'bob-live')) === 0, 'an empty queue');
    bob.close();
    ann.close();
  });

  test('is offered again while no ack comes, and has failed after QUEUE_MAX_ATTEMPTS: still in history', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-fail', ['bob-fail']);
    await send(ann, 'q-fail', 'ignored');
    let offers = 0;
    const bob = await connectAway(server, 'bob-fail', () => (offers += 1));
    await eventually(async () => (await queueRows(server, 'bob-fail')) === 0, 'a failed delivery');
    expect(offers).toBe(3);
    const page = (await (await call('GET /api/ws/queue/bob-fail', 'bob-fail')).json()) as { items: object[] };
    expect(page.items).toMatchObject([{ state: 'failed', attempts: 3, conversationId: 'q-fail', seq: 1 }]);
    const { messages } = await bob.ask('message:history', { conversationId: 'q-fail', afterSeq: 0 });
    expect(messages.map(({ content }) => content)).toEqual(['ignored']);
    bob.close();
    ann.close();
  });

  test('goes to both devices that connect at once; the first ack wins', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-two', ['bob-two']);
    await send(ann, 'q-two', 'both');
    const heard: string[] = [];
    const deliver =
      (name: string): Deliver =>
      ({ items }, ack) => {
        heard.push(...items.map(() => name));
        ack();
      };
    const [phone, laptop] = await Promise.all([
      connectAway(server, 'bob-two', deliver('phone'), 'phone'),
      connectAway(server, 'bob-two', deliver('laptop'), 'laptop'),
    ]);
    await eventually(
      async () => heard.length >= 1 && (await queueRows(server, 'bob-two')) === 0,
      'a delivery',
    );
    expect(new Set(heard).size).toBe(heard.length);
    phone.close();
    laptop.close();
    ann.close();
  });

  test('beyond QUEUE_MAX_SIZE the oldest are dropped, counted and reported', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-max', ['bob-max']);
    await Promise.all(Array.from({ length: 160 }, (_, n) => send(ann, 'q-max', `x${n}`)));
    const batches: Delivery[] = [];
    const bob = await connectAway(server, 'bob-max', (delivery, ack) => {
      batches.push(delivery);
      ack();
    });
    await eventually(async () => (await queueRows(server, 'bob-max')) === 0, 'an empty queue');
    expect(batches.flatMap(({ items }) => items)).toHaveLength(150);
    expect(batches[0]?.dropped).toBe(10);
    expect(batches.slice(1).map(({ dropped }) => dropped)).toEqual([0]);
    bob.close();
    ann.close();
  });

  test('is not kept for a client without acks while it is connected, which counts as having it', async () => {
    const ann = await TestClient.connect(server.url, 'ann');
    await conversationOf(server, ann, 'q-plain', ['bob-plain']);
    const bob = await TestClient.connect(server.url, 'bob-plain');
    await bob.ask('conversation:join', { conversationId: 'q-plain' });
    await send(ann, 'q-plain', 'taken');
    await bob.waitFor('message:new');
    const receipt = await ann.waitFor('message:receipt', ({ userId }) => userId === 'bob-plain');
    expect(receipt).toEqual({ conversationId: 'q-plain', userId: 'bob-plain', deliveredSeq: 1, readSeq: 0 });
    expect(await queueRows(server, 'bob-plain')).toBe(0);
    bob.close();
    ann.close();
  });
});
