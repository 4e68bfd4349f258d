import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When users were last seen: one row for each user whose presence ever changed. */
export class Users1764000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table users (
        user_id text collate "C" not null constraint users_pk primary key,
        last_seen_at timestamptz(3) not null,
        presence_version bigint not null
      ) with (fillfactor = 70)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table users');
  }
}
