-- Ends a stream, from any node. Terminal chunk, final status and the assistant's message are one commit (P5).
-- - An owner that completes or fails its stream passes its epoch and the last sequence it wrote. A canceller passes null
--   for both and wins over whatever the owner has under way (P6).
-- - An owner cannot end a paused stream: nothing enters its log.
-- - With `p_control`, the stream ends only if nobody has paused or resumed it since that version.
-- - Text, chunk count and hash come from the log itself. If chunk 0 is missing, it is written too (`opening`).
-- - `p_reason` says why a stream was cancelled, or why a complete answer ended other than by its natural end; the latter is
--   in the message's metadata, too.
-- Outcome `ended` (by this call), `already` (ended before), `fenced` (another epoch, or the log is not where the owner
-- assumes) or `not_found`.
create or replace function end_stream(
  p_stream uuid, p_epoch int, p_last int, p_type text, p_status text, p_usage json, p_error json, p_reason text,
  p_control int)
returns table (outcome text, status text, last_sequence int, metadata text, opening text, ended_at timestamptz, conversation_id text,
  message_id uuid, seq bigint, content text, message_metadata text, reply_to text, member_version bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_stream streams;
  v_conversation text;
  v_now timestamptz(3);
  v_text text;
  v_chunks int;
  v_bytes bigint;
  v_seq bigint;
  v_version bigint;
  v_output int;
  v_input int;
  v_metadata text;
  v_opening text;
  v_last int;
  v_finish text := (case when p_type = 'complete' and p_reason is not null then json_build_object('finish', p_type, 'reason', p_reason)
    else json_build_object('finish', p_type) end)::text;
begin
  select s.conversation_id into v_conversation from streams s where s.id = p_stream;
  perform 1 from conversations c where c.id = v_conversation for no key update;
  select * into v_stream from streams s where s.id = p_stream for no key update;
  if v_stream.id is null then
    return query select 'not_found', null::text, null::int, null::text, null::text, null::timestamptz, null::text, null::uuid,
      null::bigint, null::text, null::text, null::text, null::bigint;
    return;
  end if;
  if v_stream.completed_at is not null
    or (p_epoch is not null
      and (v_stream.epoch <> p_epoch or v_stream.last_sequence <> p_last or v_stream.status = 'paused'))
    or v_stream.control_version <> p_control then
    return query select case when v_stream.completed_at is null then 'fenced' else 'already' end, v_stream.status,
      v_stream.last_sequence, null::text, null::text, v_stream.completed_at, v_conversation, null::uuid, null::bigint, null::text,
      null::text, null::text, null::bigint;
    return;
  end if;
  v_now := clock_timestamp();
  select coalesce(string_agg(k.content, '' order by k.sequence), ''), count(*), coalesce(sum(octet_length(k.content)), 0)
  into v_text, v_chunks, v_bytes
  from stream_chunks k where k.stream_id = p_stream and k.type = 'content';
  if v_text <> '' then
    update conversations c set last_seq = c.last_seq + 1 where c.id = v_conversation
    returning c.last_seq, c.member_version into v_seq, v_version;
    insert into messages (conversation_id, seq, id, sender_id, role, client_message_id, content, metadata, stream_id,
      reply_to, created_at)
    values (v_conversation, v_seq, v_stream.message_id, 'assistant', 'assistant', 'stream:' || p_stream, v_text,
      v_finish::json, p_stream, v_stream.reply_to, v_now);
    insert into deliveries (user_id, conversation_id, seq, created_at)
    select m.user_id, v_conversation, v_seq, v_now from members m where m.conversation_id = v_conversation;
  end if;
  v_output := ceil(v_bytes / 4.0);
  v_input := ceil(v_stream.prompt_bytes / 4.0);
  v_metadata := (select '{' || string_agg(to_json(f.name)::text || ':' || f.value, ',' order by f.n) || '}' from (values
    (1, 'messageId', case when v_seq is not null then to_json(v_stream.message_id)::text end),
    (2, 'seq', v_seq::text),
    (3, 'usage', coalesce(p_usage::text, json_build_object('inputTokens', v_input, 'outputTokens', v_output,
      'totalTokens', v_input + v_output, 'source', 'estimated')::text)),
    (4, 'contentChunks', v_chunks::text),
    (5, 'contentBytes', v_bytes::text),
    (6, 'sha256', to_json(encode(sha256(convert_to(v_text, 'UTF8')), 'hex'))::text),
    (7, 'error', p_error::text),
    (8, 'reason', to_json(p_reason)::text)) f(n, name, value) where f.value is not null);
  v_last := v_stream.last_sequence;
  if v_last = -1 then
    v_last := 0;
    v_opening := json_build_object('streamId', p_stream, 'conversationId', v_conversation,
      'messageId', v_stream.message_id, 'replyTo', v_stream.reply_to, 'provider', v_stream.provider,
      'model', v_stream.model)::text;
    if v_stream.used_fallback then
      v_opening := left(v_opening, -1) || ', "usedFallback" : true}';
    end if;
    insert into stream_chunks (stream_id, sequence, type, content, metadata, created_at)
    values (p_stream, 0, 'metadata', '', v_opening::json, v_now);
  end if;
  insert into stream_chunks (stream_id, sequence, type, content, metadata, created_at)
  values (p_stream, v_last + 1, p_type, '', v_metadata::json, v_now);
  update streams s set status = p_status, last_sequence = v_last + 1,
    first_chunk_at = coalesce(s.first_chunk_at, v_now), last_chunk_at = v_now,
    completed_at = v_now, paused_at = null, usage = (v_metadata::json)->'usage', error = p_error
  where s.id = p_stream;
  return query select 'ended', p_status, v_last + 1, v_metadata, v_opening, v_now::timestamptz, v_conversation,
    v_stream.message_id, v_seq, v_text, v_finish, v_stream.reply_to::text, v_version;
end $$;
