import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../config/config.js';
import { LIMITS, type QueueItem, type SystemMessage } from '../protocol/index.js';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message.rows.js';

/** Which deliveries to offer next. */
export interface DrainRequest {
  userId: string;
  /** Id of the last delivery that was offered; `0` at first. */
  afterId: string;
  /** Conversations whose messages behind a `seq` are heard live: these are not offered. */
  live: ReadonlyMap<string, number>;
}

export interface Drained {
  items: QueueItem[];
  /** Deliveries of the user that wait behind these. */
  remaining: number;
  /** Deliveries dropped since the user was last told. */
  dropped: number;
}

type DrainRow = Partial<MessageRow> & { queue_id: string; system: SystemMessage | null };

/** Deliveries `d` behind an id that have not expired and are not heard live. */
const OFFERED = `d.user_id = $1 and d.id > $2 and d.created_at > now() - $3 * interval '1 ms'
  and not exists (
    select from unnest($4::text[], $5::bigint[]) as l(conversation_id, seq)
    where l.conversation_id = d.conversation_id and d.seq > l.seq)`;

/** The waiting deliveries: offering them, and counting the offers that came to nothing. */
@Injectable()
export class DeliveriesStore {
  constructor(
    private readonly database: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** The next deliveries of a user, oldest first: at most 100 or 256 KiB, but at least one where there is one. */
  async next({ userId, afterId, live }: DrainRequest): Promise<Drained> {
    const rows = await this.database.query<DrainRow[]>(
      `with offered as (
         select d.id as queue_id, d.system, d.conversation_id, d.seq from deliveries d
         where ${OFFERED}
         order by d.id limit $6),
       sized as (
         select o.*, sum(octet_length(coalesce(m.content, o.system::text))) over (order by o.queue_id) as bytes,
           row_number() over (order by o.queue_id) as n
         from offered o left join messages m on m.conversation_id = o.conversation_id and m.seq = o.seq
         where m.id is not null or o.system is not null)
       select s.queue_id, s.system, ${MESSAGE_COLUMNS}
       from sized s left join messages m on m.conversation_id = s.conversation_id and m.seq = s.seq
       where s.n = 1 or s.bytes <= $7 order by s.queue_id`,
      [
        ...[userId, afterId, this.config.QUEUE_TTL_MS, [...live.keys()], [...live.values()]],
        ...[LIMITS.deliverItems, LIMITS.pageBytes],
      ],
    );
    const items = rows.map(toItem);
    return items.length === 0
      ? { items, remaining: 0, dropped: 0 }
      : { items, ...(await this.counts({ userId, afterId: items.at(-1)?.queueId ?? afterId, live })) };
  }

  /** Counts an offer that was not acked in time; what was offered `QUEUE_MAX_ATTEMPTS` times has failed. */
  async attempted(userId: string, queueIds: readonly string[]): Promise<void> {
    await this.database.query('select attempt_deliveries($1, $2, $3)', [
      userId,
      queueIds,
      this.config.QUEUE_MAX_ATTEMPTS,
    ]);
  }

  /** Takes system messages off the queue. Messages of conversations go by their `seq`: see `ack_messages`. */
  async deleteSystem(userId: string, queueIds: readonly string[]): Promise<void> {
    await this.database.query(
      'delete from deliveries where user_id = $1 and id = any($2::bigint[]) and system is not null',
      [userId, queueIds],
    );
  }

  /** Queues a system message for one user. */
  async addSystem(userId: string, message: SystemMessage): Promise<void> {
    await this.database.query('insert into deliveries (user_id, system) values ($1, $2)', [
      userId,
      JSON.stringify(message),
    ]);
  }

  /** The user has been told of what was dropped so far. */
  async told(userId: string): Promise<void> {
    await this.database.query(
      `update ended_deliveries set told = true where user_id = $1 and state = 'dropped' and not told`,
      [userId],
    );
  }

  private async counts({
    userId,
    afterId,
    live,
  }: DrainRequest): Promise<Pick<Drained, 'remaining' | 'dropped'>> {
    const rows = await this.database.query<{ remaining: string; dropped: string }[]>(
      `select
         (select count(*) from deliveries d where ${OFFERED}) as remaining,
         (select count(*) from ended_deliveries where user_id = $1 and state = 'dropped' and not told) as dropped`,
      [userId, afterId, this.config.QUEUE_TTL_MS, [...live.keys()], [...live.values()]],
    );
    return { remaining: Number(rows[0]?.remaining), dropped: Number(rows[0]?.dropped) };
  }
}

function toItem({ queue_id: queueId, system, ...row }: DrainRow): QueueItem {
  if (system) return { queueId, kind: 'system', message: system };
  return { queueId, kind: 'message', message: toMessage(row as MessageRow) };
}
