-- Makes a user a member by joining. Creates the conversation where there is none (the user becomes its owner); anyone who
-- knows the id of a `link` conversation may join it. Returns `created`, `joined`, `member`, `full` or `not_found`.
-- Looks for the member only under the conversation's lock: whoever held it may have created the conversation on another
-- device of the same user, or added the user.
create or replace function join_conversation(p_id text, p_user text, p_name text, p_access text, p_max int)
returns text language plpgsql volatile :short_lock_timeout as $$
declare
  v_access text;
begin
  loop
    insert into conversations (id, access, member_version)
    values (p_id, coalesce(p_access, 'members'), nextval('member_versions')) on conflict do nothing;
    if found then
      insert into members (conversation_id, user_id, name, role) values (p_id, p_user, p_name, 'owner');
      return 'created';
    end if;
    select access into v_access from conversations where id = p_id for no key update;
    -- Otherwise it was deleted while this waited for the lock, and its id is free again.
    exit when found;
  end loop;
  update members set name = coalesce(p_name, name)
  where conversation_id = p_id and user_id = p_user and name is distinct from coalesce(p_name, name);
  if exists (select from members where conversation_id = p_id and user_id = p_user) then
    return 'member';
  end if;
  if v_access <> 'link' then
    return 'not_found';
  end if;
  return enter_conversation(p_id, p_user, p_name, p_max, 'joined');
end $$;
