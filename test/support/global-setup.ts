import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { migrations } from '../../migrations/index.js';
import { createDataSource } from '../../src/database/data-source.js';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { migrate } from '../../src/database/migrate.js';

const QUIET = { info: () => {}, warn: console.warn, error: console.error };

/** One PostgreSQL for the whole run (`DATABASE_URL`, or an embedded one), with a migrated template database. Leaves nothing behind. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const template = `streamgate_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  const teardown = async (): Promise<void> => {
    await dropAll(server.url, template).finally(server.stop);
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

async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const url = process.env['DATABASE_URL'];
  if (url) return { url, stop: async () => {} };
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-test-'));
  const remove = (): Promise<void> => rm(dataDir, { recursive: true, force: true });
  try {
    // Nobody needs these databases after a crash.
    const settings = { fsync: 'off', full_page_writes: 'off' };
    const server = await startEmbeddedPostgres({ dataDir, log: QUIET, settings });
    return { url: server.url, stop: () => server.stop().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function createTemplate(adminUrl: string, name: string): Promise<void> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`create database ${name}`).finally(() => admin.end());
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  // Migrations are SQL: the entities are not needed here.
  const dataSource = createDataSource({ url: url.href, poolSize: 2, entities: [], migrations });
  await dataSource.initialize();
  await migrate(dataSource, QUIET).finally(() => dataSource.destroy());
}

/** Drops the template, and the clones that tests did not. */
async function dropAll(adminUrl: string, template: string): Promise<void> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    const { rows } = await admin.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [template],
    );
    for (const { name } of rows) await admin.query(`drop database if exists ${name} with (force)`);
  } finally {
    await admin.end();
  }
}
