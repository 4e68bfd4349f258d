import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Presence } from '../protocol/index.js';

/** When users were last seen, kept beyond restarts. */
@Injectable()
export class LastSeenStore {
  constructor(private readonly database: DataSource) {}

  /** Writes a batch in one statement; each user once. An older state does not replace a newer one. */
  async write(states: readonly Presence[]): Promise<void> {
    // In one order everywhere, so that two nodes cannot wait for each other.
    const rows = states.toSorted((a, b) => (a.userId < b.userId ? -1 : 1));
    await this.database.query(
      `insert into users (user_id, last_seen_at, presence_version)
       select * from unnest($1::text[], $2::timestamptz[], $3::bigint[])
       on conflict (user_id) do update
       set last_seen_at = excluded.last_seen_at, presence_version = excluded.presence_version
       where users.presence_version < excluded.presence_version`,
      [
        rows.map(({ userId }) => userId),
        rows.map(({ lastSeenAt }) => lastSeenAt),
        rows.map(({ version }) => version),
      ],
    );
  }

  /** The users among these that have been seen, as offline. */
  async read(userIds: readonly string[]): Promise<Presence[]> {
    const rows = await this.database.query<
      { user_id: string; last_seen_at: Date; presence_version: string }[]
    >('select user_id, last_seen_at, presence_version from users where user_id = any($1)', [userIds]);
    return rows.map((row) => ({
      userId: row.user_id,
      status: 'offline',
      lastSeenAt: row.last_seen_at.toISOString(),
      version: Number(row.presence_version),
    }));
  }
}
