-- Sets the title and the access of a conversation; null leaves one as it is.
create or replace function update_conversation(p_id text, p_title text, p_access text)
returns void language sql volatile :short_lock_timeout as $$
  update conversations set title = coalesce(p_title, title), access = coalesce(p_access, access) where id = p_id
$$;
