import { randomBytes } from 'node:crypto';
import { DatabaseError } from 'pg';
import { inject } from 'vitest';
import { urlOfDatabase, withClient } from './with-client.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a database on the server of this run, for creating others. */
    adminUrl: string;
    /** Name of the migrated database that is cloned, and the beginning of all names of this run. */
    templateDatabase: string;
  }
}

export interface TestDatabase {
  readonly url: string;
  /** Drops it, ending whatever is still connected. */
  drop(): Promise<void>;
}

const IN_USE = '55006';
const TRIES = 20;

/** A migrated, empty database of one's own: a clone of the template of this run. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = inject('adminUrl');
  const template = inject('templateDatabase');
  const name = `${template}_${randomBytes(6).toString('hex')}`;
  await clone(adminUrl, template, name);
  return {
    url: urlOfDatabase(adminUrl, name),
    drop: () =>
      withClient(adminUrl, async (client) => {
        await client.query(`drop database if exists ${name} with (force)`);
      }),
  };
}

async function clone(adminUrl: string, template: string, name: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    for (let attempt = 1; ; attempt++) {
      try {
        // One at a time: PostgreSQL refuses to copy a database that somebody else is looking at.
        await client.query(`select pg_advisory_lock(hashtext($1))`, [template]);
        return await client.query(`create database ${name} template ${template}`);
      } catch (error) {
        if (!(error instanceof DatabaseError && error.code === IN_USE && attempt < TRIES)) throw error;
      } finally {
        await client.query(`select pg_advisory_unlock(hashtext($1))`, [template]);
      }
    }
  });
}
