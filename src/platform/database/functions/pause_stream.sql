-- Pauses a stream: from this commit on the fence refuses every append. An interrupted stream can be paused too; no node
-- continues it until it is resumed. `changed` is whether this call paused it. No row if there is no such stream.
create or replace function pause_stream(p_stream uuid)
returns table (changed bool, status text, last_sequence int, control_version int)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_stream streams;
  v_changed bool;
begin
  select * into v_stream from streams s where s.id = p_stream for no key update;
  v_changed := v_stream.status in ('starting', 'streaming', 'interrupted');
  if v_changed then
    update streams s set status = 'paused', paused_at = clock_timestamp(), control_version = s.control_version + 1
    where s.id = p_stream;
  end if;
  return query select v_changed, s.status, s.last_sequence, s.control_version from streams s where s.id = p_stream;
end $$;
