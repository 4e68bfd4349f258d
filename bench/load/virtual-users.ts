import { SignJWT } from 'jose';
import { WireClient, type WireOptions } from './wire.js';

/** Secret of the tokens; servers that know no tokens do not look. */
export const SECRET = 'a secret for benchmarks of more than thirty-two characters';

const KEY = new TextEncoder().encode(SECRET);
const AT_ONCE = 50;
const JOIN_TRIES = 5;

export interface Person {
  userId: string;
  client: WireClient;
}

interface Arrival {
  url: string;
  userIds: readonly string[];
  acks: boolean;
  /** What to do with the events of the person at `index`. */
  onEvent: (index: number) => WireOptions['onEvent'];
}

/** Connects everybody, some at a time; in the order of `userIds`. */
export function arrive({ url, userIds, acks, onEvent }: Arrival): Promise<Person[]> {
  return inGroups(userIds, async (userId, index) => {
    const auth = { token: await tokenFor(userId), acks };
    const client = await WireClient.open({ url, auth, onEvent: onEvent(index) });
    return { userId, client };
  });
}

interface Joining extends Person {
  conversationId: string;
}

/** Brings everybody into their conversations, some at a time. */
export async function joinAll(people: readonly Joining[]): Promise<void> {
  await inGroups(people, ({ client, conversationId }) => join(client, conversationId));
}

/** A server that is busy asks to be asked again. */
async function join(client: WireClient, conversationId: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.ask('conversation:join', { conversationId, access: 'link' });
      return;
    } catch (error) {
      if (attempt === JOIN_TRIES || !String(error).includes('"retryable":true')) throw error;
    }
  }
}

/** Does `work` for each item, some at a time; the results in the order of the items. */
export async function inGroups<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const group = items.slice(from, from + AT_ONCE).map((item, offset) => work(item, from + offset));
    results.push(...(await Promise.all(group)));
  }
  return results;
}

/** A token of `userId`, good for two hours. */
export function tokenFor(userId: string): Promise<string> {
  return new SignJWT({ sub: userId }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('2h').sign(KEY);
}
