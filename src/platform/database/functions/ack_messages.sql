-- Moves members' positions up to a `seq` each, at most to the last message, and deletes the deliveries that they cover,
-- for a batch of acknowledgements. Returns each member's positions and whether they moved; no row for a user who is no
-- member. With `p_skip_locked` a member whose row another session holds is left as it is, and `moved` is null.
-- The cost grows with the batch, not with its square: each ack finds its member by both parts of the key (`offset 0` keeps
-- the planner from using the conversation alone, which reads all its members), and nothing joins the updated rows.
create or replace function ack_messages(p_user text[], p_conversation text[], p_delivered bigint[], p_read bigint[],
  p_skip_locked bool default false)
returns table (user_id text, conversation_id text, delivered_seq bigint, read_seq bigint, moved bool)
language plpgsql volatile :pinned_plans as $$
#variable_conflict use_column
declare
  v_free jsonb;
begin
  if p_skip_locked then
    select coalesce(jsonb_object_agg(a.c || ' ' || a.u, true), '{}') into v_free
    from (select distinct t.c, t.u from unnest(p_conversation, p_user) t(c, u) order by 1, 2) a
    cross join lateral (
      select 1 from members m where m.conversation_id = a.c and m.user_id = a.u for no key update skip locked) l;
    return query
    select t.u, t.c, null::bigint, null::bigint, null::bool
    from (select distinct t.u, t.c from unnest(p_user, p_conversation) t(u, c)) t
    cross join lateral (
      select 1 from members m where m.conversation_id = t.c and m.user_id = t.u offset 0) m
    where not v_free ? (t.c || ' ' || t.u);
    select coalesce(array_agg(t.u), '{}'), coalesce(array_agg(t.c), '{}'), coalesce(array_agg(t.d), '{}'),
      coalesce(array_agg(t.r), '{}')
    into p_user, p_conversation, p_delivered, p_read
    from unnest(p_user, p_conversation, p_delivered, p_read) t(u, c, d, r) where v_free ? (t.c || ' ' || t.u);
  else
    perform 1
    from (select distinct t.c, t.u from unnest(p_conversation, p_user) t(c, u) order by 1, 2) a
    cross join lateral (
      select 1 from members m where m.conversation_id = a.c and m.user_id = a.u for no key update) l;
  end if;
  return query
  with checked as materialized (
    select a.u, a.c, a.d, greatest(m.delivered_seq, least(a.d, c.last_seq)) as delivered,
      greatest(m.read_seq, least(a.r, c.last_seq)) as read,
      m.delivered_seq < least(a.d, c.last_seq) as delivers, m.read_seq < least(a.r, c.last_seq) as reads
    from (
      select t.u, t.c, max(t.d) as d, max(t.r) as r
      from unnest(p_user, p_conversation, p_delivered, p_read) t(u, c, d, r) group by 1, 2) a
    cross join lateral (
      select m.delivered_seq, m.read_seq from members m
      where m.conversation_id = a.c and m.user_id = a.u offset 0) m
    cross join lateral (select c.last_seq from conversations c where c.id = a.c offset 0) c),
  gone as (
    delete from deliveries where ctid = any(array(
      select d.ctid from checked j
      cross join lateral (
        select d.ctid from deliveries d
        where d.user_id = j.u and d.conversation_id = j.c and d.seq <= j.d
        order by d.id for update skip locked) d))),
  moved as (
    update members m
    set delivered_seq = j.delivered, read_seq = j.read,
      delivered_at = case when j.delivers then clock_timestamp() else m.delivered_at end,
      read_at = case when j.reads then clock_timestamp() else m.read_at end
    from checked j
    where m.conversation_id = j.c and m.user_id = j.u and (j.delivers or j.reads))
  select j.u, j.c, j.delivered, j.read, j.delivers or j.reads from checked j;
end $$;
