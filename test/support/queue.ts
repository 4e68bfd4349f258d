import type { ServerEvents } from '../../src/protocol/index.js';
import { TestClient } from './client.js';
import { http } from './http.js';
import type { TestServer } from './server.js';
import { withClient } from './with-client.js';

export type Delivery = ServerEvents['queue:deliver'];
export type Deliver = (delivery: Delivery, ack: () => void) => void;

/** A conversation of `owner`, with members that are not connected. */
export async function conversationOf(
  { url }: TestServer,
  owner: TestClient,
  id: string,
  members: string[],
): Promise<void> {
  await owner.ask('conversation:join', { conversationId: id });
  for (const member of members) {
    await http(url, `PUT /api/conversations/${id}/members/${member}`, { userId: owner.userId });
  }
}

/** Sends `text`, which is its own `clientMessageId`, without asking for an answer. */
export function send(client: TestClient, conversationId: string, text: string) {
  return client.ask('message:send', { conversationId, clientMessageId: text, content: text, respond: false });
}

/** Connects with a handler for deliveries that is there before the first can come. */
export function connectAway(
  { url }: TestServer,
  userId: string,
  deliver: Deliver,
  deviceId = 'phone',
): Promise<TestClient> {
  return TestClient.connect(url, userId, { acks: true, deviceId, on: { 'queue:deliver': deliver } });
}

/** How many deliveries wait for a user, asked of the database. */
export async function queueRows({ databaseUrl }: TestServer, userId: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ n: number }>(
      'select count(*)::int as n from deliveries where user_id = $1',
      [userId],
    );
    return rows[0]?.n ?? -1;
  });
}
