-- Removes a member, on behalf of the owner or of the member, together with the member's queue of this conversation.
-- Returns `removed`, `conflict` (the owner cannot leave), `forbidden` or `not_found`.
create or replace function remove_member(p_id text, p_actor text, p_user text)
returns text language plpgsql volatile :pinned_plans :short_lock_timeout as $$
declare
  v_actor text;
  v_user text;
begin
  perform 1 from conversations where id = p_id for no key update;
  select role into v_actor from members where conversation_id = p_id and user_id = p_actor;
  select role into v_user from members where conversation_id = p_id and user_id = p_user;
  if v_actor is null then
    return 'not_found';
  end if;
  if v_actor <> 'owner' and p_actor <> p_user then
    return 'forbidden';
  end if;
  if v_user is null then
    return 'not_found';
  end if;
  if v_user = 'owner' then
    return 'conflict';
  end if;
  delete from members where conversation_id = p_id and user_id = p_user;
  update conversations set member_version = nextval('member_versions') where id = p_id;
  delete from deliveries where user_id = p_user and conversation_id = p_id;
  return 'removed';
end $$;
