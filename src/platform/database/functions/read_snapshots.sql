-- Reads what joins respond with, for a batch of readers; each part is read once for all readers that need it.
-- A row names its readers by their position in the arguments (from 1); all rows of a reader together are its snapshot. A
-- user who is no member has no row.
-- `stable`: everything comes from the calling statement's snapshot. Somebody who is a member now was one when the rest was
-- read, and no message or chunk is missing between the parts.
create or replace function read_snapshots(p_conversation text[], p_user text[], p_after bigint[], p_limit int, p_bytes bigint)
returns table (readers int[], body json)
language plpgsql stable :pinned_plans as $$
begin
  return query
  with requested as materialized (
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
  from requested a group by a.conversation_id
  union all
  select a.readers, json_build_object(
    'messages', coalesce(json_agg(p order by p.seq) filter (where p.place <= p_limit and (p.place = 1 or p.sum <= p_bytes)), '[]'),
    'found', count(p.seq))
  from (select w.conversation_id, w.after, array_agg(w.n) as readers from requested w group by 1, 2) a
  left join lateral (
    select f.*, row_number() over (order by f.distance) as place,
      sum(octet_length(f.content)) over (order by f.distance) as sum
    from (
      (select m.seq as distance, m.id, m.conversation_id, m.seq, m.sender_id, m.role, m.client_message_id, m.content,
        m.metadata, m.stream_id, m.reply_to, m.created_at
      from messages m where m.conversation_id = a.conversation_id and m.seq > a.after
      order by m.seq limit p_limit + 1)
      union all
      (select -m.seq, m.id, m.conversation_id, m.seq, m.sender_id, m.role, m.client_message_id, m.content,
        m.metadata, m.stream_id, m.reply_to, m.created_at
      from messages m where m.conversation_id = a.conversation_id and a.after is null
      order by m.seq desc limit p_limit + 1)) f) p on true
  group by a.conversation_id, a.after, a.readers;
end $$;
