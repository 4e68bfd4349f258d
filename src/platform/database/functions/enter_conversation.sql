-- Inserts a member, whose queue begins now. The caller holds the conversation's lock.
-- Returns `p_outcome`, or `member` or `full` where nothing was inserted.
create or replace function enter_conversation(p_id text, p_user text, p_name text, p_max int, p_outcome text)
returns text language plpgsql volatile as $$
begin
  if exists (select from members where conversation_id = p_id and user_id = p_user) then
    return 'member';
  end if;
  if (select count(*) from members where conversation_id = p_id) >= p_max then
    return 'full';
  end if;
  insert into members (conversation_id, user_id, name, joined_seq, delivered_seq, read_seq)
  select id, p_user, p_name, last_seq, last_seq, last_seq from conversations where id = p_id;
  update conversations set member_version = nextval('member_versions') where id = p_id;
  return p_outcome;
end $$;
