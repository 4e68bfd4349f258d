import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Functions that write messages, memberships and acknowledgements. Each is called as one autocommit statement: its
 * inner statements take fresh snapshots after the locks, which one plain statement cannot (its snapshot is older than
 * the lock it waits for). Locks are taken in one order everywhere: conversations, members, streams, deliveries.
 *
 * The planner is pinned where a plan made while the tables were empty would scan them for ever after.
 */
const PINNED = `set enable_seqscan = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan`;

/**
 * Appends a batch of messages: numbers them under their conversations' locks, queues them for every other member, and
 * creates the stream rows of the answers that were asked for, all in one commit (P1, P2). One row per item, in any
 * order: outcome `stored`, `duplicate`, `not_found` or `too_many_streams`.
 */
const APPEND_MESSAGES = `
create function append_messages(
  p_conversation text[], p_sender text[], p_client text[], p_id uuid[], p_content text[], p_metadata json[],
  p_stream json[], p_node text, p_streams_per_user int, p_streams_free int)
returns table (n int, outcome text, seq bigint, id uuid, created_at timestamptz, member_version bigint, stream_id uuid)
language plpgsql volatile ${PINNED} as $$
#variable_conflict use_column
declare
  v_now timestamptz(3);
  v_locked text[];
begin
  select coalesce(array_agg(l.id), '{}') into v_locked
  from (select c.id from conversations c where c.id = any(p_conversation) order by c.id for no key update) l;
  -- One user's streams are counted by one commit at a time, or two would each find room for the last one.
  perform pg_advisory_xact_lock(hashtextextended(a.sender_id, 1))
  from (select distinct t.sender_id from unnest(p_sender, p_stream) t(sender_id, stream)
    where t.stream is not null order by 1) a;
  v_now := clock_timestamp();
  return query
  with input as (
    select t.*, row_number() over (partition by t.conversation_id, t.sender_id, t.client_id order by t.n) as copy
    from unnest(p_conversation, p_sender, p_client, p_id, p_content, p_metadata, p_stream)
      with ordinality t(conversation_id, sender_id, client_id, id, content, metadata, stream, n)),
  judged as (
    select i.*, mem.ok as allowed, old.seq as old_seq, old.id as old_id, old.created_at as old_at,
      old.answer_stream_id as old_stream,
      coalesce(mem.ok and old.seq is null and i.copy = 1, false) as fresh
    from input i
    left join lateral (
      select true as ok from members m
      where m.conversation_id = i.conversation_id and m.user_id = i.sender_id
        and i.conversation_id = any(v_locked) limit 1) mem on true
    left join lateral (
      select o.seq, o.id, o.created_at, o.answer_stream_id from messages o
      where o.conversation_id = i.conversation_id and o.sender_id = i.sender_id
        and o.client_message_id = i.client_id limit 1) old on true),
  limited as (
    select j.*, j.fresh and j.stream is not null and (
        count(*) filter (where j.fresh and j.stream is not null) over (partition by j.sender_id order by j.n)
          + (select count(*) from streams s where s.user_id = j.sender_id and s.completed_at is null)
          > p_streams_per_user
        or count(*) filter (where j.fresh and j.stream is not null) over (order by j.n) > p_streams_free
      ) as busy
    from judged j),
  ranked as materialized (
    select l.*, l.fresh and not l.busy as is_new,
      count(*) filter (where l.fresh and not l.busy) over (partition by l.conversation_id order by l.n) as k
    from limited l),
  bumped as (
    update conversations c set last_seq = c.last_seq + f.k
    from (select r.conversation_id, max(r.k) as k from ranked r where r.is_new group by 1) f
    where c.id = f.conversation_id and c.id = any(v_locked)
    returning c.id, c.last_seq - f.k as base, c.member_version),
  placed as materialized (
    select r.*, b.base + r.k as new_seq, b.member_version
    from ranked r left join bumped b on b.id = r.conversation_id),
  stored as (
    insert into messages (conversation_id, seq, id, sender_id, role, client_message_id, content, metadata,
      answer_stream_id, created_at)
    select p.conversation_id, p.new_seq, p.id, p.sender_id, 'user', p.client_id, p.content, p.metadata,
      (p.stream->>'streamId')::uuid, v_now
    from placed p where p.is_new order by 1, 2),
  asked as (
    insert into streams (id, conversation_id, message_id, reply_to, user_id, provider, model, transport, options,
      owner_node, started_at)
    select (p.stream->>'streamId')::uuid, p.conversation_id, (p.stream->>'messageId')::uuid,
      json_build_object('messageId', p.id, 'seq', p.new_seq, 'clientMessageId', p.client_id),
      p.sender_id, p.stream->>'provider', p.stream->>'model', p.stream->>'transport', p.stream->'options',
      p_node, v_now
    from placed p where p.is_new and p.stream is not null),
  queued as (
    insert into deliveries (user_id, conversation_id, seq, created_at)
    select m.user_id, p.conversation_id, p.new_seq, v_now
    from placed p
    cross join lateral (
      select m.user_id from members m
      where m.conversation_id = p.conversation_id and m.user_id <> p.sender_id offset 0) m
    where p.is_new order by p.conversation_id, p.new_seq)
  select p.n::int,
    case
      when p.allowed is null then 'not_found'
      when p.is_new then 'stored'
      when p.old_seq is not null or (p.copy > 1 and first_value(p.is_new) over w) then 'duplicate'
      else 'too_many_streams'
    end,
    case when p.allowed then coalesce(p.old_seq, first_value(p.new_seq) over w) end,
    case when p.allowed then coalesce(p.old_id, first_value(p.id) over w) end,
    case when p.allowed then coalesce(p.old_at, v_now) end,
    coalesce(p.member_version, (select c.member_version from conversations c where c.id = p.conversation_id)),
    case when p.allowed and p.old_seq is null then (first_value(p.stream->>'streamId') over w)::uuid else p.old_stream end
  from placed p window w as (partition by p.conversation_id, p.sender_id, p.client_id order by p.n);
end $$`;

/**
 * Makes a user a member by joining: creates the conversation where there is none (the joiner is its owner), lets in
 * whoever knows the id of a `link` conversation. Outcome `created`, `joined`, `member`, `full` or `not_found`.
 */
const JOIN_CONVERSATION = `
create function join_conversation(p_id text, p_user text, p_name text, p_access text, p_max int)
returns text language plpgsql volatile as $$
declare
  v_access text;
begin
  update members set name = coalesce(p_name, name)
  where conversation_id = p_id and user_id = p_user and name is distinct from coalesce(p_name, name);
  if exists (select from members where conversation_id = p_id and user_id = p_user) then
    return 'member';
  end if;
  insert into conversations (id, access, member_version)
  values (p_id, coalesce(p_access, 'members'), nextval('member_versions')) on conflict do nothing;
  if found then
    insert into members (conversation_id, user_id, name, role) values (p_id, p_user, p_name, 'owner');
    return 'created';
  end if;
  select access into v_access from conversations where id = p_id for no key update;
  if v_access is distinct from 'link' then
    return 'not_found';
  end if;
  return enter_conversation(p_id, p_user, p_name, p_max, 'joined');
end $$`;

/** Inserts a member. The caller holds the conversation's lock. Its queue begins with its membership. */
const ENTER_CONVERSATION = `
create function enter_conversation(p_id text, p_user text, p_name text, p_max int, p_outcome text)
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
end $$`;

/** The owner lets a user in. Outcome `added`, `member`, `full`, `forbidden` or `not_found`. */
const ADD_MEMBER = `
create function add_member(p_id text, p_actor text, p_user text, p_max int)
returns text language plpgsql volatile as $$
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
end $$`;

/**
 * The owner removes a member, or a member leaves; the member's queue of this conversation goes with it.
 * Outcome `removed`, `conflict` (the sole owner cannot leave), `forbidden` or `not_found`.
 */
const REMOVE_MEMBER = `
create function remove_member(p_id text, p_actor text, p_user text)
returns text language plpgsql volatile ${PINNED} as $$
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
end $$`;

/** The owner deletes a conversation with all that is in it. Outcome `deleted`, `forbidden` or `not_found`. */
const DELETE_CONVERSATION = `
create function delete_conversation(p_id text, p_actor text)
returns text language plpgsql volatile as $$
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
end $$`;

/**
 * Moves members' positions up to a `seq` each (clamped to what exists) and takes what they cover off the queue, for a
 * batch of acknowledgements. Returns the members' positions, and whether they moved; nothing for who is no member.
 */
export const ACK_MESSAGES = `
create or replace function ack_messages(p_user text[], p_conversation text[], p_delivered bigint[], p_read bigint[])
returns table (user_id text, conversation_id text, delivered_seq bigint, read_seq bigint, moved bool)
language plpgsql volatile ${PINNED} as $$
#variable_conflict use_column
begin
  perform 1
  from (select distinct t.c, t.u from unnest(p_conversation, p_user) t(c, u) order by 1, 2) a
  cross join lateral (
    select 1 from members m where m.conversation_id = a.c and m.user_id = a.u for no key update) l;
  return query
  with acks as materialized (
    select t.u, t.c, max(t.d) as d, max(t.r) as r
    from unnest(p_user, p_conversation, p_delivered, p_read) t(u, c, d, r) group by 1, 2),
  gone as (
    delete from deliveries where ctid = any(array(
      select d.ctid from acks a
      cross join lateral (
        select d.ctid from deliveries d
        where d.user_id = a.u and d.conversation_id = a.c and d.seq <= a.d
        order by d.id for update skip locked) d))),
  moved as (
    update members m
    set delivered_seq = greatest(m.delivered_seq, least(a.d, c.last_seq)),
      delivered_at = case when least(a.d, c.last_seq) > m.delivered_seq then clock_timestamp() else m.delivered_at end,
      read_seq = greatest(m.read_seq, least(a.r, c.last_seq)),
      read_at = case when least(a.r, c.last_seq) > m.read_seq then clock_timestamp() else m.read_at end
    from acks a join conversations c on c.id = a.c
    where m.conversation_id = a.c and m.user_id = a.u
      and (m.delivered_seq < least(a.d, c.last_seq) or m.read_seq < least(a.r, c.last_seq))
    returning m.user_id, m.conversation_id, m.delivered_seq, m.read_seq)
  select m.user_id, m.conversation_id, coalesce(v.delivered_seq, m.delivered_seq),
    coalesce(v.read_seq, m.read_seq), v.user_id is not null
  from acks a
  join members m on m.conversation_id = a.c and m.user_id = a.u
  left join moved v on v.conversation_id = a.c and v.user_id = a.u;
end $$`;

/**
 * Counts an offer of deliveries that came to nothing; what was offered `p_max` times has failed. Takes the members' locks
 * as `ack_messages` does, which does not wait for deliveries: an ack would pass by a row that is being counted, and leave
 * it in the queue.
 */
const ATTEMPT_DELIVERIES = `
create function attempt_deliveries(p_user text, p_ids bigint[], p_max int)
returns void language plpgsql volatile ${PINNED} as $$
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
end $$`;

const FUNCTIONS = [
  APPEND_MESSAGES,
  ENTER_CONVERSATION,
  JOIN_CONVERSATION,
  ADD_MEMBER,
  REMOVE_MEMBER,
  DELETE_CONVERSATION,
  ACK_MESSAGES,
  ATTEMPT_DELIVERIES,
];

export class MessageFunctions1764000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const definition of FUNCTIONS) await runner.query(definition);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `drop function append_messages, enter_conversation, join_conversation, add_member, remove_member,
        delete_conversation, ack_messages, attempt_deliveries`,
    );
  }
}
