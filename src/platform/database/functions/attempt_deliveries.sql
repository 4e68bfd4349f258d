-- Counts an attempt to deliver that was not acknowledged; a delivery with `p_max` attempts becomes a dead letter.
-- Takes the members' locks as `ack_messages` does. That function skips locked deliveries, so an ack at the same time would
-- otherwise leave the row in the queue.
create or replace function attempt_deliveries(p_user text, p_ids bigint[], p_max int)
returns void language plpgsql volatile :pinned_plans :short_lock_timeout as $$
begin
  perform 1
  from (
    select distinct d.conversation_id from deliveries d
    where d.user_id = p_user and d.id = any(p_ids) and d.conversation_id is not null order by 1) o
  cross join lateral (
    select 1 from members m where m.conversation_id = o.conversation_id and m.user_id = p_user for no key update) l;
  with gone as (
    delete from deliveries where user_id = p_user and id = any(p_ids) and attempts + 1 >= p_max returning *)
  insert into ended_deliveries (user_id, id, conversation_id, seq, system, attempts, state, created_at)
  select user_id, id, conversation_id, seq, system, attempts + 1, 'failed', created_at from gone;
  update deliveries set attempts = attempts + 1 where user_id = p_user and id = any(p_ids);
end $$;
