import { afterAll, beforeAll, expect, test } from 'vitest';
import type { QueueItem } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await server.stop();
});

async function tell(content: string): Promise<void> {
  const answer = await http(server.url, 'POST /api/ws/users/dora/messages', {
    ...{ userId: 'root', roles: ['admin'], body: { content } },
  });
  expect(answer.status).toBe(200);
}

test('What is committed after a later delivery was offered is still offered on the same connection (P8)', async () => {
  const got: string[] = [];
  const deliver = ({ items }: { items: QueueItem[] }, done: () => void): void => {
    got.push(...items.map(({ message }) => message.content));
    done();
  };
  const dora = await TestClient.connect(server.url, 'dora', {
    ...{ acks: true, on: { 'queue:deliver': deliver } },
  });
  await withClient(server.databaseUrl, async (slow) => {
    await slow.query('begin');
    await slow.query(
      `insert into deliveries (user_id, system) values ('dora', '{"topic":null,"content":"slow"}')`,
    );
    await tell('quick');
    await eventually(() => got.length === 1, 'the quick one');
    await slow.query('commit');
  });
  await tell('third');
  await eventually(() => got.length === 3, 'the slow one');
  // System messages have no order among each other.
  expect(got.toSorted()).toEqual(['quick', 'slow', 'third']);
  dora.close();
});
