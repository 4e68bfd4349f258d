import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Two users, of whom the first would know of the second. */
export type Pair = readonly [userId: string, otherId: string];

/** More than anybody reads; a service account that is in more is announced to the newest of them. */
const MAX_CONVERSATIONS = 5000;

/** Who shares a conversation with whom: read from the members each time, never remembered (P10). */
@Injectable()
export class SharedConversationsStore {
  constructor(private readonly database: DataSource) {}

  /** The conversations of each user, at most the newest 5000. */
  async conversationsOf(userIds: readonly string[]): Promise<Map<string, string[]>> {
    const rows = await this.database.query<{ user_id: string; ids: string[] }[]>(
      `select u.user_id, array(
         select m.conversation_id from members m where m.user_id = u.user_id
         order by m.joined_at desc limit $2) as ids
       from unnest($1::text[]) u(user_id)`,
      [userIds, MAX_CONVERSATIONS],
    );
    return new Map(rows.map((row) => [row.user_id, row.ids]));
  }

  /** For each pair, in order: whether both are members of some conversation, or are the same user. */
  async share(pairs: readonly Pair[]): Promise<boolean[]> {
    if (pairs.length === 0) return [];
    const rows = await this.database.query<{ n: string }[]>(
      `select p.n from unnest($1::text[], $2::text[]) with ordinality p(a, b, n)
       where p.a = p.b or exists (
         select from members x join members y on y.conversation_id = x.conversation_id
         where x.user_id = p.a and y.user_id = p.b)`,
      [pairs.map(([userId]) => userId), pairs.map(([, otherId]) => otherId)],
    );
    const shared = new Set(rows.map(({ n }) => Number(n)));
    return pairs.map((_, index) => shared.has(index + 1));
  }
}
