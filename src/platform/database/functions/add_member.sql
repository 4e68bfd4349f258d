-- Adds a member on behalf of the owner. Returns `added`, `member`, `full`, `forbidden` or `not_found`.
create or replace function add_member(p_id text, p_actor text, p_user text, p_max int)
returns text language plpgsql volatile :short_lock_timeout as $$
declare
  v_role text;
begin
  perform 1 from conversations where id = p_id for no key update;
  select role into v_role from members where conversation_id = p_id and user_id = p_actor;
  if v_role is null then
    return 'not_found';
  end if;
  if v_role <> 'owner' then
    return 'forbidden';
  end if;
  return enter_conversation(p_id, p_user, null, p_max, 'added');
end $$;
