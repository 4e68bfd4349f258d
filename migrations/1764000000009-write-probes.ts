import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the readiness check writes: see `probe_write.sql`. The pages of `write_probes` are worth nothing, so they are not
 * logged; vacuum would make room in them, and a full disk would not be noticed.
 */
export class WriteProbes1764000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create unlogged table write_probes (page text collate "C" not null) with (autovacuum_enabled = off);
      alter table write_probes alter column page set storage plain;
      create table write_times (
        id int not null constraint write_times_pk primary key,
        written_at timestamptz(3) not null default now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table write_probes; drop table write_times');
  }
}
