import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which text of each function file is applied, and what PostgreSQL made of it: see `src/platform/database/functions.ts`. */
export class FunctionFiles1764000000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table streamgate_functions (
        name text collate "C" not null constraint streamgate_functions_pk primary key,
        sha256 text collate "C" not null,
        definition_sha256 text collate "C" not null,
        applied_at timestamptz(3) not null default now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table streamgate_functions');
  }
}
