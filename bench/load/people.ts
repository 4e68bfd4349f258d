import { SignJWT } from 'jose';
import { WireClient, type WireOptions } from './wire.js';

/** Secret of the tokens; servers that know no tokens do not look. */
export const SECRET = 'a secret for benchmarks, of more than thirty-two characters';

const KEY = new TextEncoder().encode(SECRET);
const CONNECTING_AT_ONCE = 50;

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
export async function arrive({ url, userIds, acks, onEvent }: Arrival): Promise<Person[]> {
  const people: Person[] = [];
  for (let from = 0; from < userIds.length; from += CONNECTING_AT_ONCE) {
    const group = userIds.slice(from, from + CONNECTING_AT_ONCE).map(async (userId, offset) => {
      const auth = { token: await tokenFor(userId), acks };
      const client = await WireClient.open({ url, auth, onEvent: onEvent(from + offset) });
      return { userId, client };
    });
    people.push(...(await Promise.all(group)));
  }
  return people;
}

function tokenFor(userId: string): Promise<string> {
  return new SignJWT({ sub: userId }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('2h').sign(KEY);
}
