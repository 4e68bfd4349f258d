import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';
import { migrations } from '../../migrations/index.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrate } from '../../src/platform/database/migrate.js';
import { buildProgram, removePrograms } from './programs.js';
import { urlOfDatabase, withClient } from './with-client.js';

const QUIET = { info: () => {}, warn: console.warn, error: console.error };

/**
 * Starts one PostgreSQL for the whole run (or uses `DATABASE_URL`) and creates a migrated template database. Leaves nothing
 * on the machine, even if the run is killed: see `supervisor.ts`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await supervise();
  const template = `streamgate_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  const teardown = async (): Promise<void> => {
    try {
      await dropAll(server.url, template);
    } finally {
      await server.stop();
    }
  };
  try {
    await createTemplate(server.url, template);
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('adminUrl', server.url);
  project.provide('templateDatabase', template);
  return teardown;
}

/** Starts the supervisor. All temporary files of the run are in its folder from now on. */
async function supervise(): Promise<{ url: string; stop: () => Promise<void> }> {
  // The run ends with `scripts/test.mjs`, if that has started it: its end closes the channel.
  process.once('disconnect', () => process.exit(1));
  process.channel?.unref();
  const folder = await mkdtemp(join(tmpdir(), 'streamgate-run-'));
  // Some tests run programs as other users.
  await chmod(folder, 0o755);
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = folder;
  const program = await buildProgram('test/support/supervisor.ts');
  const child = spawn(process.execPath, [program, folder], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const [line] = (await Promise.race([once(lines, 'line'), exited.then(() => [])])) as string[];
  await removePrograms();
  if (line === undefined) throw new Error('The supervisor of the test run did not start.');
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await exited;
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
  };
  return { url: (JSON.parse(line) as { url: string }).url, stop };
}

async function createTemplate(adminUrl: string, name: string): Promise<void> {
  await withClient(adminUrl, (client) => client.query(`create database ${name}`));
  // Migrations are SQL: the entities are not needed here.
  const url = urlOfDatabase(adminUrl, name);
  const dataSource = createDataSource({ url, poolSize: 2, entities: [], migrations });
  await dataSource.initialize();
  try {
    await migrate(dataSource, QUIET);
  } finally {
    await dataSource.destroy();
  }
}

/** Drops the template and the clones that tests did not drop. */
async function dropAll(adminUrl: string, template: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [template],
    );
    for (const { name } of rows) await client.query(`drop database if exists ${name} with (force)`);
  });
}
