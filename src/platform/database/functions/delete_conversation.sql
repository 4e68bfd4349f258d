-- Deletes a conversation with everything in it, on behalf of the owner. Returns `deleted`, `forbidden` or `not_found`.
create or replace function delete_conversation(p_id text, p_actor text)
returns text language plpgsql volatile :short_lock_timeout as $$
declare
  v_role text;
begin
  perform 1 from conversations where id = p_id for update;
  select role into v_role from members where conversation_id = p_id and user_id = p_actor;
  if v_role is null then
    return 'not_found';
  end if;
  if v_role <> 'owner' then
    return 'forbidden';
  end if;
  perform 1 from members where conversation_id = p_id order by user_id for update;
  delete from deliveries where conversation_id = p_id
    and user_id in (select user_id from members where conversation_id = p_id);
  delete from ended_deliveries where conversation_id = p_id
    and user_id in (select user_id from members where conversation_id = p_id);
  delete from members where conversation_id = p_id;
  delete from stream_chunks where stream_id in (select id from streams where conversation_id = p_id);
  delete from streams where conversation_id = p_id;
  delete from messages where conversation_id = p_id;
  delete from conversations where id = p_id;
  return 'deleted';
end $$;
