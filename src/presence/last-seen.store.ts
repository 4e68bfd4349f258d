import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Any, type Repository } from 'typeorm';
import { batchReads } from '../platform/database/batch-reads.js';
import type { Presence } from '../protocol/index.js';
import { UserEntity } from './user.entity.js';

/** Size of one result, all members of a conversation: a batch has at most 64 results. */
const RESULT_BYTES = 16 * 1024;

/** Stores when users were last seen. */
@Injectable()
export class LastSeenStore {
  private readonly reads = batchReads({
    read: (batch: readonly (readonly string[])[]) => this.readAll(batch),
    resultBytes: RESULT_BYTES,
  });

  constructor(@InjectRepository(UserEntity) private readonly users: Repository<UserEntity>) {}

  /** Writes a batch in one statement; each user at most once. An older version does not replace a newer one. */
  async write(states: readonly Presence[]): Promise<void> {
    // Sorted, so that two nodes cannot deadlock.
    const rows = states.toSorted((a, b) => (a.userId < b.userId ? -1 : 1));
    await this.users.query(
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

  /** Returns the presence of those users who were seen, as offline. */
  read(userIds: readonly string[]): Promise<Presence[]> {
    return this.reads(userIds);
  }

  private async readAll(batch: readonly (readonly string[])[]): Promise<Presence[][]> {
    const rows = await this.users.findBy({ userId: Any([...new Set(batch.flat())]) });
    const seen = new Map(rows.map((row) => [row.userId, toOffline(row)]));
    return batch.map((userIds) => userIds.map((id) => seen.get(id)).filter((state) => state !== undefined));
  }
}

function toOffline({ userId, lastSeenAt, presenceVersion }: UserEntity): Presence {
  return {
    userId,
    status: 'offline',
    lastSeenAt: lastSeenAt.toISOString(),
    version: Number(presenceVersion),
  };
}
