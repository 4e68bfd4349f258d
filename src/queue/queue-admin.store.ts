import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../platform/config/config.js';
import { withAdvisoryLock } from '../platform/database/advisory-lock.js';
import type { DeliveryState, QueueEntry } from './queue.dto.js';

interface EntryRow {
  id: string;
  conversation_id: string | null;
  seq: string | null;
  state: DeliveryState;
  attempts: number;
  created_at: Date;
}

const JANITOR_LOCK = 5_742_003;
const TRIM_BATCH = 1000;
const ENDED_RETENTION_DAYS = 7;
const FORGET_BATCH = 5000;

/** The queue's bounds and what is seen of it: nothing here is on the road of a message. */
@Injectable()
export class QueueAdminStore {
  constructor(
    private readonly database: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Runs `work` unless another node cleans the queues: one works, the others rest. */
  exclusively(work: () => Promise<void>): Promise<boolean> {
    return withAdvisoryLock(this.database, JANITOR_LOCK, work);
  }

  /** A page of a user's deliveries by their id, those that ended among them. */
  async page(userId: string, afterId: string, limit: number): Promise<QueueEntry[]> {
    const rows = await this.database.query<EntryRow[]>(
      `select id, conversation_id, seq, 'queued' as state, attempts, created_at from deliveries
         where user_id = $1 and id > $2
       union all
       select id, conversation_id, seq, state, attempts, created_at from ended_deliveries
         where user_id = $1 and id > $2
       order by id limit $3`,
      [userId, afterId, limit],
    );
    return rows.map((row) => toEntry(row, this.config.QUEUE_TTL_MS));
  }

  /** Drops all that waits for a user. */
  async clear(userId: string): Promise<void> {
    await this.database.query(
      `with gone as (delete from deliveries where user_id = $1 returning *)
       insert into ended_deliveries (user_id, id, conversation_id, seq, system, attempts, state, created_at)
       select user_id, id, conversation_id, seq, system, attempts, 'dropped', created_at from gone`,
      [userId],
    );
  }

  /**
   * Holds a user's queue to `QUEUE_TTL_MS` and `QUEUE_MAX_SIZE`: what is too old has expired, the oldest beyond the size
   * are dropped. At most 1000 at once, so that no transaction is long.
   * @returns how many ended.
   */
  async trim(userId: string): Promise<number> {
    const rows = await this.database.query<{ ended: string }[]>(
      `with cut as (
         select coalesce((select id from deliveries where user_id = $1 order by id desc offset $2 limit 1), 0) as id),
       old as (
         select d.id, d.created_at < now() - $3 * interval '1 ms' as expired from deliveries d, cut
         where d.user_id = $1 and (d.id <= cut.id or d.created_at < now() - $3 * interval '1 ms')
         order by d.id limit $4 for update of d skip locked),
       gone as (delete from deliveries d using old o where d.user_id = $1 and d.id = o.id returning d.*, o.expired),
       kept as (
         insert into ended_deliveries (user_id, id, conversation_id, seq, system, attempts, state, created_at)
         select user_id, id, conversation_id, seq, system, attempts,
           case when expired then 'expired' else 'dropped' end, created_at
         from gone returning 1)
       select count(*) as ended from kept`,
      [userId, this.config.QUEUE_MAX_SIZE, this.config.QUEUE_TTL_MS, TRIM_BATCH],
    );
    return Number(rows[0]?.ended);
  }

  /** Users behind `afterUserId` for whom something waits, in order. */
  async usersWithQueue(afterUserId: string, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ user_id: string }[]>(
      `with recursive users(user_id) as (
         (select user_id from deliveries where user_id > $1 order by user_id limit 1)
         union all
         select (select d.user_id from deliveries d where d.user_id > u.user_id order by d.user_id limit 1)
         from users u where u.user_id is not null)
       select user_id from users where user_id is not null limit $2`,
      [afterUserId, limit],
    );
    return rows.map((row) => row.user_id);
  }

  /** Forgets deliveries that ended a week ago. @returns how many. */
  async forgetEnded(): Promise<number> {
    const rows = await this.database.query<{ forgotten: string }[]>(
      `with gone as (
         delete from ended_deliveries where ctid = any(array(
           select ctid from ended_deliveries where ended_at < now() - $1 * interval '1 day' limit $2)) returning 1)
       select count(*) as forgotten from gone`,
      [ENDED_RETENTION_DAYS, FORGET_BATCH],
    );
    return Number(rows[0]?.forgotten);
  }
}

function toEntry(row: EntryRow, ttlMs: number): QueueEntry {
  return {
    queueId: row.id,
    kind: row.conversation_id === null ? 'system' : 'message',
    ...(row.conversation_id !== null && { conversationId: row.conversation_id }),
    ...(row.seq !== null && { seq: Number(row.seq) }),
    state: row.state,
    attempts: row.attempts,
    queuedAt: row.created_at.toISOString(),
    expiresAt: new Date(row.created_at.getTime() + ttlMs).toISOString(),
  };
}
