-- Reads the next deliveries of a batch of readers, oldest first: for each reader (its position in the arguments, from 1)
-- those after an id that have not expired and are not received live (`p_live`: conversations, each with the `seq` after
-- which it is live), at most `p_limit` items or `p_bytes` bytes, but at least one if there is one.
-- Each row also has: how many wait after these (`remaining`), how many were dropped without notice (`dropped`), and whether
-- the queue is larger than `p_max` or has expired items (`needs_trim`). These are counted once per reader, not per item.
create or replace function offer_deliveries(
  p_user text[], p_after bigint[], p_live jsonb[], p_ttl_ms bigint, p_max int, p_limit int, p_bytes bigint)
returns table (reader int, queue_id bigint, system json, id uuid, conversation_id text, seq bigint, sender_id text,
  role text, client_message_id text, content text, metadata json, stream_id uuid, reply_to json, created_at timestamptz,
  remaining bigint, dropped bigint, needs_trim bool)
language plpgsql stable :pinned_plans as $$
#variable_conflict use_column
declare
  v_oldest timestamptz := now() - p_ttl_ms * interval '1 ms';
begin
  return query
  with requested as materialized (
    select t.n::int as n, t.user_id, t.after_id, t.live, w.waiting, w.needs_trim, e.dropped
    from unnest(p_user, p_after, p_live) with ordinality t(user_id, after_id, live, n)
    cross join lateral (
      select count(*) > p_max or bool_or(d.created_at < v_oldest) as needs_trim,
        count(*) filter (where d.id > t.after_id and d.created_at > v_oldest
          and coalesce(d.seq <= (t.live->>d.conversation_id)::bigint, true)) as waiting
      from deliveries d where d.user_id = t.user_id) w
    cross join lateral (
      select count(*) as dropped from ended_deliveries e
      where e.user_id = t.user_id and e.state = 'dropped' and not e.told) e
    where w.waiting > 0),
  sized as (
    select a.n, a.waiting, a.dropped, a.needs_trim, d.id as queue_id, d.system as system_message, m.*,
      sum(octet_length(coalesce(m.content, d.system::text))) over w as bytes, row_number() over w as place
    from requested a
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
  select s.n, s.queue_id, s.system_message, s.id, s.conversation_id, s.seq, s.sender_id, s.role, s.client_message_id, s.content,
    s.metadata, s.stream_id, s.reply_to, s.created_at, s.waiting - count(*) over (partition by s.n), s.dropped, s.needs_trim
  from sized s
  where s.place = 1 or s.bytes <= p_bytes
  order by s.n, s.queue_id;
end $$;
