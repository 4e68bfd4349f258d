-- Writes as messages are written, so that it fails where they would: to a session that may only read, to a full disk (new pages
-- of 128 KiB, since old ones may have room), and to a log of changes that is not written or replicated.
-- Runs with the rights of its owner, who may truncate.
create or replace function probe_write()
returns void language plpgsql volatile security definer set search_path from current as $$
begin
  if pg_relation_size('write_probes') > 1048576 then
    truncate write_probes;
  end if;
  insert into write_probes (page) select repeat('x', 8000) from generate_series(1, 16);
  insert into write_times (id) values (1) on conflict (id) do update set written_at = clock_timestamp();
end $$;
