-- Resumes a paused stream. Its owner continues; without an owner it is interrupted until a node claims it.
-- Returns the same columns as `pause_stream`.
create or replace function resume_stream(p_stream uuid)
returns table (changed bool, status text, last_sequence int, control_version int)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_stream streams;
  v_changed bool;
begin
  select * into v_stream from streams s where s.id = p_stream for no key update;
  v_changed := v_stream.status = 'paused';
  if v_changed then
    update streams s set
      status = case
        when s.owner_node is null then 'interrupted' when s.last_sequence > 0 then 'streaming' else 'starting' end,
      paused_ms = s.paused_ms + (extract(epoch from clock_timestamp() - s.paused_at) * 1000)::bigint,
      paused_at = null, control_version = s.control_version + 1
    where s.id = p_stream;
  end if;
  return query select v_changed, s.status, s.last_sequence, s.control_version from streams s where s.id = p_stream;
end $$;
