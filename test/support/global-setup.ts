import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrations } from '../../migrations/index.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js';
import { migrate } from '../../src/platform/database/migrate.js';
import { urlOfDatabase, withClient } from './with-client.js';

const QUIET = { info: () => {}, warn: console.warn, error: console.error };

/** One PostgreSQL for the whole run (`DATABASE_URL`, or an embedded one), with a migrated template database. Leaves nothing behind. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
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

async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const url = process.env['DATABASE_URL'];
  if (url) return { url, stop: async () => {} };
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-test-'));
  const remove = (): Promise<void> => rm(dataDir, { recursive: true, force: true });
  try {
    // Nobody needs these databases after a crash.
    const settings = { fsync: 'off', full_page_writes: 'off' };
    const server = await startEmbeddedPostgres({ dataDir, log: QUIET, settings });
    const stop = async (): Promise<void> => {
      await server.stop();
      await remove();
    };
    return { url: server.url, stop };
  } catch (error) {
    await remove();
    throw error;
  }
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

/** Drops the template, and the clones that tests did not. */
async function dropAll(adminUrl: string, template: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [template],
    );
    for (const { name } of rows) await client.query(`drop database if exists ${name} with (force)`);
  });
}
