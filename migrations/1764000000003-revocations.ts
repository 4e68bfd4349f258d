import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What operators revoked. Read whole at the start of a node, and from then on by its time. */
export class Revocations1764000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table revocations (
        kind text collate "C" not null,
        value text collate "C" not null,
        revoked_at timestamptz(3) not null,
        constraint revocations_pk primary key (kind, value)
      )`);
    await runner.query('create index revocations_time on revocations (revoked_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table revocations');
  }
}
