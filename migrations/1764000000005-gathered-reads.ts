import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The planner is pinned as for what writes: see the functions of messages. */
const PINNED = `set enable_seqscan = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan`;

/**
 * What joins answer, for many at once, each part read once for all who want the same. A row names the readers that it
 * belongs to by their place in the arguments (from 1); the rows of one reader together are its answer, and who is no
 * member has none. `stable`: everything is of the calling statement's snapshot, so that a member now was one when the
 * rest was read, and no message or chunk lies between the parts.
 */
const READ_SNAPSHOTS = `
create function read_snapshots(p_conversation text[], p_user text[], p_after bigint[], p_limit int, p_bytes bigint)
returns table (readers int[], body json)
language plpgsql stable ${PINNED} as $$
begin
  return query
  with asked as materialized (
    select t.n::int as n, t.conversation_id, t.after
    from unnest(p_conversation, p_user, p_after) with ordinality t(conversation_id, user_id, after, n)
    cross join lateral (
      select 1 from members m where m.conversation_id = t.conversation_id and m.user_id = t.user_id offset 0) m)
  select array_agg(a.n), json_build_object(
    'conversation', (
      select to_json(x) from (
        select c.id, c.title, c.access, c.created_at, c.last_seq
        from conversations c where c.id = a.conversation_id) x),
    'members', (
      select json_agg(x) from (
        select m.user_id, m.name, m.role, m.joined_at, m.delivered_seq, m.delivered_at, m.read_seq, m.read_at
        from members m where m.conversation_id = a.conversation_id order by m.joined_at, m.user_id) x),
    'streams', (
      select coalesce(json_agg(x), '[]') from (
        select s.id, s.conversation_id, s.message_id, s.reply_to, s.user_id, s.status, s.provider, s.model,
          s.used_fallback, s.transport, s.options, s.owner_node, s.epoch, s.control_version, s.last_sequence, s.bytes,
          s.usage, s.error, s.interruptions, s.recoveries, s.started_at, s.first_chunk_at, s.last_chunk_at,
          s.completed_at, s.expired, (
            select coalesce(string_agg(k.content, '' order by k.sequence), '') from stream_chunks k
            where k.stream_id = s.id and k.type = 'content' and k.sequence <= s.last_sequence) as text
        from streams s
        where s.conversation_id = a.conversation_id and s.completed_at is null and (s.options->>'visible')::boolean
        order by s.started_at, s.id) x))
  from asked a group by a.conversation_id
  union all
  select a.readers, json_build_object(
    'messages', coalesce(json_agg(p order by p.seq) filter (where p.place <= p_limit and (p.place = 1 or p.sum <= p_bytes)), '[]'),
    'found', count(p.seq))
  from (select w.conversation_id, w.after, array_agg(w.n) as readers from asked w group by 1, 2) a
  left join lateral (
    select f.*, row_number() over (order by f.away) as place,
      sum(octet_length(f.content)) over (order by f.away) as sum
    from (
      (select m.seq as away, m.id, m.conversation_id, m.seq, m.sender_id, m.role, m.client_message_id, m.content,
        m.metadata, m.stream_id, m.reply_to, m.created_at
      from messages m where m.conversation_id = a.conversation_id and m.seq > a.after
      order by m.seq limit p_limit + 1)
      union all
      (select -m.seq, m.id, m.conversation_id, m.seq, m.sender_id, m.role, m.client_message_id, m.content,
        m.metadata, m.stream_id, m.reply_to, m.created_at
      from messages m where m.conversation_id = a.conversation_id and a.after is null
      order by m.seq desc limit p_limit + 1)) f) p on true
  group by a.conversation_id, a.after, a.readers;
end $$`;

/**
 * The next deliveries of many users, oldest first: for each reader (its place in the arguments, from 1) behind an id, what
 * has not expired and is not heard live (`p_live`: conversations, each with the `seq` behind which it is), at most `p_limit`
 * or `p_bytes`, but at least one where there is one. Beside each: how many wait behind these, how many were dropped
 * untold, and whether the queue holds more than it may, or longer.
 */
export const OFFER_DELIVERIES = `
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
    select t.n::int as n, t.user_id, t.after_id, t.live
    from unnest(p_user, p_after, p_live) with ordinality t(user_id, after_id, live, n)),
  sized as (
    select a.n, d.id as queue_id, d.system as news, m.*,
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
    window w as (partition by a.n order by d.id)),
  page as materialized (select s.* from sized s where s.place = 1 or s.bytes <= p_bytes),
  behind as (
    select a.n, w.remaining, w.overdue, e.dropped
    from (select p.n, max(p.queue_id) as last_id from page p group by p.n) l
    join asked a on a.n = l.n
    cross join lateral (
      select count(*) > p_max or bool_or(d.created_at < v_oldest) as overdue,
        count(*) filter (where d.id > l.last_id and d.created_at > v_oldest
          and coalesce(d.seq <= (a.live->>d.conversation_id)::bigint, true)) as remaining
      from deliveries d where d.user_id = a.user_id) w
    cross join lateral (
      select count(*) as dropped from ended_deliveries e
      where e.user_id = a.user_id and e.state = 'dropped' and not e.told) e)
  select p.n, p.queue_id, p.news, p.id, p.conversation_id, p.seq, p.sender_id, p.role, p.client_message_id, p.content,
    p.metadata, p.stream_id, p.reply_to, p.created_at, b.remaining, b.dropped, b.overdue
  from page p join behind b on b.n = p.n
  order by p.n, p.queue_id;
end $$`;

export class GatheredReads1764000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(READ_SNAPSHOTS);
    await runner.query(OFFER_DELIVERIES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop function read_snapshots, offer_deliveries');
  }
}
