import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The tables. No foreign keys on what is written per message or per chunk: they made appends 3 to 15 times slower;
 * the functions of the next migration keep the rows consistent under the conversation's lock.
 */
export class Tables1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One for all conversations: of an id that was deleted and is used anew, no older version is taken for a newer one.
    await runner.query('create sequence member_versions');
    await runner.query(`
      create table conversations (
        id text collate "C" not null constraint conversations_pk primary key,
        title text,
        access text collate "C" not null default 'members',
        last_seq bigint not null default 0,
        member_version bigint not null default 0,
        created_at timestamptz(3) not null default now()
      ) with (fillfactor = 50)`);
    await runner.query(`
      create table members (
        conversation_id text collate "C" not null,
        user_id text collate "C" not null,
        name text,
        role text collate "C" not null default 'member',
        joined_at timestamptz(3) not null default now(),
        joined_seq bigint not null default 0,
        delivered_seq bigint not null default 0,
        delivered_at timestamptz(3),
        read_seq bigint not null default 0,
        read_at timestamptz(3),
        constraint members_pk primary key (conversation_id, user_id)
      ) with (fillfactor = 70)`);
    await runner.query('create index members_user on members (user_id, conversation_id)');
    await runner.query(`
      create table messages (
        conversation_id text collate "C" not null,
        seq bigint not null,
        id uuid not null,
        sender_id text collate "C" not null,
        role text collate "C" not null,
        client_message_id text collate "C" not null,
        content text not null,
        metadata json not null,
        stream_id uuid,
        reply_to json,
        answer_stream_id uuid,
        created_at timestamptz(3) not null,
        constraint messages_pk primary key (conversation_id, seq)
      )`);
    await runner.query(
      'create unique index messages_once on messages (conversation_id, sender_id, client_message_id)',
    );
    await runner.query(`
      create table deliveries (
        user_id text collate "C" not null,
        id bigint generated always as identity,
        conversation_id text collate "C",
        seq bigint,
        system json,
        attempts smallint not null default 0,
        created_at timestamptz(3) not null default now(),
        constraint deliveries_pk primary key (user_id, id)
      )`);
    await runner.query(`
      create table ended_deliveries (
        user_id text collate "C" not null,
        id bigint not null,
        conversation_id text collate "C",
        seq bigint,
        system json,
        attempts smallint not null,
        state text collate "C" not null,
        told boolean not null default false,
        created_at timestamptz(3) not null,
        ended_at timestamptz(3) not null default now(),
        constraint ended_deliveries_pk primary key (user_id, id)
      )`);
    await runner.query('create index ended_deliveries_age on ended_deliveries (ended_at)');
    await runner.query(`
      create table streams (
        id uuid not null constraint streams_pk primary key,
        conversation_id text collate "C" not null,
        message_id uuid not null,
        reply_to json not null,
        user_id text collate "C" not null,
        status text collate "C" not null default 'starting',
        provider text collate "C" not null,
        model text collate "C" not null,
        used_fallback boolean not null default false,
        transport text collate "C" not null,
        options json not null,
        owner_node text collate "C",
        epoch integer not null default 1,
        control_version integer not null default 0,
        paused_at timestamptz(3),
        paused_ms bigint not null default 0,
        last_sequence integer not null default -1,
        bytes bigint not null default 0,
        prompt_bytes integer not null default 0,
        usage json,
        error json,
        interruptions integer not null default 0,
        recoveries integer not null default 0,
        started_at timestamptz(3) not null,
        first_chunk_at timestamptz(3),
        last_chunk_at timestamptz(3),
        completed_at timestamptz(3),
        expired boolean not null default false
      ) with (fillfactor = 50)`);
    await runner.query('create index streams_running_user on streams (user_id) where completed_at is null');
    await runner.query(
      'create index streams_running_conversation on streams (conversation_id) where completed_at is null',
    );
    await runner.query(
      'create index streams_running_owner on streams (owner_node) where completed_at is null',
    );
    await runner.query(
      'create index streams_ended on streams (completed_at) where completed_at is not null and not expired',
    );
    await runner.query(`
      create table nodes (
        id text collate "C" not null constraint nodes_pk primary key,
        lease_until timestamptz(3) not null
      ) with (fillfactor = 50)`);
    await runner.query(`
      create table stream_chunks (
        stream_id uuid not null,
        sequence integer not null,
        type text collate "C" not null,
        content text not null,
        metadata json,
        created_at timestamptz(3) not null,
        constraint stream_chunks_pk primary key (stream_id, sequence)
      )`);
    await runner.query(
      `create unique index stream_chunks_one_end on stream_chunks (stream_id) where type in ('complete', 'cancelled', 'error')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'drop table stream_chunks, nodes, streams, ended_deliveries, deliveries, messages, members, conversations',
    );
    await runner.query('drop sequence member_versions');
  }
}
