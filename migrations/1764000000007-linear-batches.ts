import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ACK_MESSAGES as FIRST_ACK_MESSAGES } from './1764000000001-message-functions.js';
import { OFFER_DELIVERIES as FIRST_OFFER_DELIVERIES } from './1764000000005-gathered-reads.js';

/** The planner is pinned as for what writes: see the functions of messages. */
const PINNED = `set enable_seqscan = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan`;

/**
 * As before, at a cost that grows with the batch and not with its square: each ack finds its member by both parts of the
 * key (`offset 0` keeps the planner from going by the conversation alone, which reads all its members), and nothing joins what
 * was moved. It is judged once, by the row that the lock has made safe to read.
 */
const ACK_MESSAGES = `
create or replace function ack_messages(p_user text[], p_conversation text[], p_delivered bigint[], p_read bigint[])
returns table (user_id text, conversation_id text, delivered_seq bigint, read_seq bigint, moved bool)
language plpgsql volatile ${PINNED} as $$
#variable_conflict use_column
begin
  perform 1
  from (select distinct t.c, t.u from unnest(p_conversation, p_user) t(c, u) order by 1, 2) a
  cross join lateral (
    select 1 from members m where m.conversation_id = a.c and m.user_id = a.u for no key update) l;
  return query
  with judged as materialized (
    select a.u, a.c, a.d, greatest(m.delivered_seq, least(a.d, c.last_seq)) as delivered,
      greatest(m.read_seq, least(a.r, c.last_seq)) as read,
      m.delivered_seq < least(a.d, c.last_seq) as delivers, m.read_seq < least(a.r, c.last_seq) as reads
    from (
      select t.u, t.c, max(t.d) as d, max(t.r) as r
      from unnest(p_user, p_conversation, p_delivered, p_read) t(u, c, d, r) group by 1, 2) a
    cross join lateral (
      select m.delivered_seq, m.read_seq from members m
      where m.conversation_id = a.c and m.user_id = a.u offset 0) m
    cross join lateral (select c.last_seq from conversations c where c.id = a.c offset 0) c),
  gone as (
    delete from deliveries where ctid = any(array(
      select d.ctid from judged j
      cross join lateral (
        select d.ctid from deliveries d
        where d.user_id = j.u and d.conversation_id = j.c and d.seq <= j.d
        order by d.id for update skip locked) d))),
  moved as (
    update members m
    set delivered_seq = j.delivered, read_seq = j.read,
      delivered_at = case when j.delivers then clock_timestamp() else m.delivered_at end,
      read_at = case when j.reads then clock_timestamp() else m.read_at end
    from judged j
    where m.conversation_id = j.c and m.user_id = j.u and (j.delivers or j.reads))
  select j.u, j.c, j.delivered, j.read, j.delivers or j.reads from judged j;
end $$`;

/**
 * As before, with what is counted beside a page counted once for each reader, not for each item. What remains is what may be
 * offered less what is.
 */
const OFFER_DELIVERIES = `
create or replace function offer_deliveries(
  p_user text[], p_after bigint[], p_live jsonb[], p_ttl_ms bigint, p_max int, p_limit int, p_bytes bigint)
returns table (reader int, queue_id bigint, system json, id uuid, conversation_id text, seq bigint, sender_id text,
  role text, client_message_id text, content text, metadata json, stream_id uuid, reply_to json, created_at timestamptz,
  remaining bigint, dropped bigint, overdue bool)
language plpgsql stable ${PINNED} as $$
#variable_conflict use_column
declare
  v_oldest timestamptz := now() - p_ttl_ms * interval '1 ms';
begin
  return query
  with asked as materialized (
    select t.n::int as n, t.user_id, t.after_id, t.live, w.waiting, w.overdue, e.dropped
    from unnest(p_user, p_after, p_live) with ordinality t(user_id, after_id, live, n)
    cross join lateral (
      select count(*) > p_max or bool_or(d.created_at < v_oldest) as overdue,
        count(*) filter (where d.id > t.after_id and d.created_at > v_oldest
          and coalesce(d.seq <= (t.live->>d.conversation_id)::bigint, true)) as waiting
      from deliveries d where d.user_id = t.user_id) w
    cross join lateral (
      select count(*) as dropped from ended_deliveries e
      where e.user_id = t.user_id and e.state = 'dropped' and not e.told) e
    where w.waiting > 0),
  sized as (
    select a.n, a.waiting, a.dropped, a.overdue, d.id as queue_id, d.system as news, m.*,
      sum(octet_length(coalesce(m.content, d.system::text))) over w as bytes, row_number() over w as place
    from asked a
    cross join lateral (
      select d.id, d.system, d.conversation_id, d.seq from deliveries d
      where d.user_id = a.user_id and d.id > a.after_id and d.created_at > v_oldest
        and coalesce(d.seq <= (a.live->>d.conversation_id)::bigint, true)
      order by d.id limit p_limit) d
    left join lateral (
      select m.id, m.conversation_id, m.seq, m.sender_id, m.role, m.client_message_id, m.content, m.metadata,
        m.stream_id, m.reply_to, m.created_at
      from messages m where m.conversation_id = d.conversation_id and m.seq = d.seq offset 0) m on true
    where m.id is not null or d.system is not null
    window w as (partition by a.n order by d.id))
  select s.n, s.queue_id, s.news, s.id, s.conversation_id, s.seq, s.sender_id, s.role, s.client_message_id, s.content,
    s.metadata, s.stream_id, s.reply_to, s.created_at, s.waiting - count(*) over (partition by s.n), s.dropped, s.overdue
  from sized s
  where s.place = 1 or s.bytes <= p_bytes
  order by s.n, s.queue_id;
end $$`;

export class LinearBatches1764000000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const definition of [ACK_MESSAGES, OFFER_DELIVERIES]) await runner.query(definition);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const definition of [FIRST_ACK_MESSAGES, FIRST_OFFER_DELIVERIES]) await runner.query(definition);
  }
}
