import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../platform/config/config.js';
import { withAdvisoryLock } from '../platform/database/advisory-lock.js';
import type { DeliveryEntity } from './delivery.entity.js';
import type { DeliveryState, QueueEntry } from './queue.dto.js';

/** Columns that both tables have, and the state. */
type EntryRow = Pick<DeliveryEntity, 'id' | 'conversationId' | 'seq' | 'attempts' | 'createdAt'> & {
  state: DeliveryState;
};

const JANITOR_LOCK = 5_742_003;
const TRIM_BATCH = 1000;
const ENDED_RETENTION_DAYS = 7;
const FORGET_BATCH = 5000;

/** Enforces the bounds of queues and shows their content. Nothing here is on the path of a message. */
@Injectable()
export class QueueAdminStore {
  constructor(
    private readonly database: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Runs `work` unless another node is cleaning the queues. @returns whether `work` ran. */
  runExclusively(work: () => Promise<void>): Promise<boolean> {
    return withAdvisoryLock(this.database, JANITOR_LOCK, work);
  }

  /** Returns a user's deliveries after an id, in the order of their ids, including ended ones. */
  async page(userId: string, afterId: string, limit: number): Promise<QueueEntry[]> {
    const rows = await this.database.query<EntryRow[]>(
      `select id, conversation_id as "conversationId", seq, 'queued' as state, attempts, created_at as "createdAt"
         from deliveries where user_id = $1 and id > $2
       union all
       select id, conversation_id, seq, state, attempts, created_at
         from ended_deliveries where user_id = $1 and id > $2
       order by id limit $3`,
      [userId, afterId, limit],
    );
    return rows.map((row) => toEntry(row, this.config.QUEUE_TTL_MS));
  }

  /** Drops all deliveries that wait for a user. */
  async clear(userId: string): Promise<void> {
    await this.database.query(
      `with gone as (delete from deliveries where user_id = $1 returning *)
       insert into ended_deliveries (user_id, id, conversation_id, seq, system, attempts, state, created_at)
       select user_id, id, conversation_id, seq, system, attempts, 'dropped', created_at from gone`,
      [userId],
    );
  }

  /**
   * Enforces `QUEUE_TTL_MS` and `QUEUE_MAX_SIZE` on a user's queue: older deliveries expire, and the oldest beyond the size
   * are dropped. Ends at most 1000 in one call, to keep transactions short.
   * @returns the number of deliveries that ended.
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

  /** Returns users with waiting deliveries, after `afterUserId` and in order. */
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

  /** Deletes deliveries that ended a week ago, at most 5000 in one call. @returns the number deleted. */
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
    kind: row.conversationId === null ? 'system' : 'message',
    ...(row.conversationId !== null && { conversationId: row.conversationId }),
    ...(row.seq !== null && { seq: Number(row.seq) }),
    state: row.state,
    attempts: row.attempts,
    queuedAt: row.createdAt.toISOString(),
    expiresAt: new Date(row.createdAt.getTime() + ttlMs).toISOString(),
  };
}
