import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Two users: the first asks to see the second. */
export type Pair = readonly [userId: string, otherId: string];

/** A service account with more conversations is announced in the newest of them only. */
const MAX_CONVERSATIONS = 5000;

/** Reads who shares a conversation with whom: from the members each time, never cached (P10). */
@Injectable()
export class SharedConversationsStore {
  constructor(private readonly database: DataSource) {}

  /** Returns the conversations of each user, at most the newest 5000. */
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

  /** Returns for each pair, in order, whether both are members of one conversation, or the same user. */
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
