-- Appends a batch of messages in one commit (P1, P2): numbers them under their conversations' locks, queues them for
-- every other member, and creates the stream rows of the answers that were requested. Returns one row per item, in any
-- order; outcome `stored`, `duplicate`, `not_found`, `too_many_streams` or, with `p_skip_locked`, `locked`: another session
-- holds the conversation, and nothing was done.
create or replace function append_messages(
  p_conversation text[], p_sender text[], p_client text[], p_id uuid[], p_content text[], p_metadata json[],
  p_stream json[], p_node text, p_streams_per_user int, p_streams_free int,
  p_skip_locked bool default false)
returns table (n int, outcome text, seq bigint, id uuid, created_at timestamptz, member_version bigint, stream_id uuid)
language plpgsql volatile :pinned_plans as $$
#variable_conflict use_column
declare
  v_now timestamptz(3);
  v_locked text[];
begin
  if p_skip_locked then
    select coalesce(array_agg(l.id), '{}') into v_locked
    from (
      select c.id from conversations c where c.id = any(p_conversation) order by c.id
      for no key update skip locked) l;
  else
    select coalesce(array_agg(l.id), '{}') into v_locked
    from (select c.id from conversations c where c.id = any(p_conversation) order by c.id for no key update) l;
  end if;
  -- One user's streams are counted by one commit at a time, or two would each find room for the last one.
  perform pg_advisory_xact_lock(hashtextextended(a.sender_id, 1))
  from (select distinct t.sender_id from unnest(p_sender, p_stream) t(sender_id, stream)
    where t.stream is not null order by 1) a;
  v_now := clock_timestamp();
  return query
  with input as (
    select t.*, row_number() over (partition by t.conversation_id, t.sender_id, t.client_id order by t.n) as copy
    from unnest(p_conversation, p_sender, p_client, p_id, p_content, p_metadata, p_stream)
      with ordinality t(conversation_id, sender_id, client_id, id, content, metadata, stream, n)),
  checked as (
    select i.*, mem.ok as allowed, old.seq as old_seq, old.id as old_id, old.created_at as old_at,
      old.answer_stream_id as old_stream,
      coalesce(mem.ok and old.seq is null and i.copy = 1, false) as fresh
    from input i
    left join lateral (
      select true as ok from members m
      where m.conversation_id = i.conversation_id and m.user_id = i.sender_id
        and i.conversation_id = any(v_locked) limit 1) mem on true
    left join lateral (
      select o.seq, o.id, o.created_at, o.answer_stream_id from messages o
      where o.conversation_id = i.conversation_id and o.sender_id = i.sender_id
        and o.client_message_id = i.client_id limit 1) old on true),
  limited as (
    select j.*, j.fresh and j.stream is not null and (
        count(*) filter (where j.fresh and j.stream is not null) over (partition by j.sender_id order by j.n)
          + (select count(*) from streams s where s.user_id = j.sender_id and s.completed_at is null)
          > p_streams_per_user
        or count(*) filter (where j.fresh and j.stream is not null) over (order by j.n) > p_streams_free
      ) as busy
    from checked j),
  ranked as materialized (
    select l.*, l.fresh and not l.busy as is_new,
      count(*) filter (where l.fresh and not l.busy) over (partition by l.conversation_id order by l.n) as k
    from limited l),
  updated as (
    update conversations c set last_seq = c.last_seq + f.k
    from (select r.conversation_id, max(r.k) as k from ranked r where r.is_new group by 1) f
    where c.id = f.conversation_id and c.id = any(v_locked)
    returning c.id, c.last_seq - f.k as base, c.member_version),
  positions as materialized (
    select r.*, b.base + r.k as new_seq, b.member_version
    from ranked r left join updated b on b.id = r.conversation_id),
  stored as (
    insert into messages (conversation_id, seq, id, sender_id, role, client_message_id, content, metadata,
      answer_stream_id, created_at)
    select p.conversation_id, p.new_seq, p.id, p.sender_id, 'user', p.client_id, p.content, p.metadata,
      (p.stream->>'streamId')::uuid, v_now
    from positions p where p.is_new order by 1, 2),
  requested as (
    insert into streams (id, conversation_id, message_id, reply_to, user_id, provider, model, transport, options,
      owner_node, started_at)
    select (p.stream->>'streamId')::uuid, p.conversation_id, (p.stream->>'messageId')::uuid,
      json_build_object('messageId', p.id, 'seq', p.new_seq, 'clientMessageId', p.client_id),
      p.sender_id, p.stream->>'provider', p.stream->>'model', p.stream->>'transport', p.stream->'options',
      p_node, v_now
    from positions p where p.is_new and p.stream is not null),
  queued as (
    insert into deliveries (user_id, conversation_id, seq, created_at)
    select m.user_id, p.conversation_id, p.new_seq, v_now
    from positions p
    cross join lateral (
      select m.user_id from members m
      where m.conversation_id = p.conversation_id and m.user_id <> p.sender_id offset 0) m
    where p.is_new order by p.conversation_id, p.new_seq)
  select p.n::int,
    case
      when p_skip_locked and p.conversation_id <> all(v_locked)
        and exists (select from conversations c where c.id = p.conversation_id) then 'locked'
      when p.allowed is null then 'not_found'
      when p.is_new then 'stored'
      when p.old_seq is not null or (p.copy > 1 and first_value(p.is_new) over w) then 'duplicate'
      else 'too_many_streams'
    end,
    case when p.allowed then coalesce(p.old_seq, first_value(p.new_seq) over w) end,
    case when p.allowed then coalesce(p.old_id, first_value(p.id) over w) end,
    case when p.allowed then coalesce(p.old_at, v_now) end,
    coalesce(p.member_version, (select c.member_version from conversations c where c.id = p.conversation_id)),
    case when p.allowed and p.old_seq is null then (first_value(p.stream->>'streamId') over w)::uuid else p.old_stream end
  from positions p window w as (partition by p.conversation_id, p.sender_id, p.client_id order by p.n);
end $$;
