-- Reads what the prompts of streams are made of: the messages up to the question, at most the last `p_limit` messages or
-- `p_bytes` bytes but at least the question, or the question alone if the stream was requested without context; and the
-- members' names once two people have written.
create or replace function read_prompts(p_stream uuid[], p_limit int, p_bytes bigint)
returns table (stream_id uuid, messages json, names json)
language plpgsql stable :pinned_plans as $$
begin
  return query
  select s.id, json_agg(json_build_object('role', p.role, 'content', p.content, 'senderId', p.sender_id) order by p.seq),
    case when count(distinct p.sender_id) filter (where p.role = 'user') > 1 then (
      select json_object_agg(m.user_id, m.name) from members m where m.conversation_id = s.conversation_id) end
  from unnest(p_stream) t(id)
  cross join lateral (
    select x.id, x.conversation_id, (x.reply_to->>'seq')::bigint as seq,
      case when (x.options->>'includeContext')::boolean then p_limit else 1 end as message_limit
    from streams x where x.id = t.id offset 0) s
  cross join lateral (
    select l.*, row_number() over w as place, sum(octet_length(l.content)) over w as bytes
    from (
      select m.seq, m.role, m.sender_id, m.content from messages m
      where m.conversation_id = s.conversation_id and m.seq <= s.seq order by m.seq desc limit s.message_limit) l
    window w as (order by l.seq desc)) p
  where p.place = 1 or p.bytes <= p_bytes
  group by s.id, s.conversation_id;
end $$;
