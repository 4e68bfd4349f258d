-- Deletes the chunks of the streams that ended longest ago and are past their retention: whole streams, together at most
-- `p_chunks` chunks but at least one stream. Only one node runs it at a time.
-- Returns the number of streams cleared, and 0 where another node is running it.
create or replace function expire_streams(p_retention_ms bigint, p_chunks int)
returns int language plpgsql volatile as $$
declare
  v_due uuid[];
begin
  if not pg_try_advisory_xact_lock(hashtext('streamgate expire_streams')) then
    return 0;
  end if;
  v_due := array(
    select t.id from (
      select o.id, sum(o.last_sequence + 1) over w as total, row_number() over w as n
      from (
        select s.id, s.completed_at, s.last_sequence from streams s
        where s.completed_at is not null and not s.expired
          and s.completed_at < now() - p_retention_ms * interval '1 millisecond'
        order by s.completed_at limit 1000) o
      window w as (order by o.completed_at, o.id)) t
    where t.total <= p_chunks or t.n = 1);
  delete from stream_chunks k where k.stream_id = any(v_due);
  update streams s set expired = true where s.id = any(v_due);
  return cardinality(v_due);
end $$;
