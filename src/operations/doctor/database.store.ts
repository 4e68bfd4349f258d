import { Client } from 'pg';
import type { MigrationInterface } from 'typeorm';
import { fail, ok, warn, type Finding } from './finding.js';

const TIMEOUT_MS = 8000;
const OLDEST = 150_000;
/** Clocks further apart than this let tokens begin or end at the wrong time. */
const MAX_CLOCK_MS = 2000;
/** Connections beside the pool: for appends, listeners and the start. */
const OTHER_CONNECTIONS = 10;

/** What is asked of the database. */
interface Facts {
  version: number;
  now: number;
  connections: number;
  mayCreate: boolean;
  mayWrite: boolean;
  migrated: boolean;
}

interface Asked {
  url: string;
  poolSize: number;
  migrations: readonly (new () => MigrationInterface)[];
}

/** Whether the database can be reached, is new enough, has been migrated, lets us work and has our time. Changes nothing. */
export async function checkDatabase({ url, poolSize, migrations }: Asked): Promise<Finding[]> {
  const client = new Client({
    connectionString: url,
    application_name: 'streamgate doctor',
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  client.on('error', () => {}); // It reaches the pending call as well.
  try {
    await client.connect();
    const before = Date.now();
    const facts = await readFacts(client);
    const clockMs = Math.round(facts.now - (before + Date.now()) / 2);
    const pending = await pendingMigrations(client, facts, migrations);
    return judge({ facts, clockMs, pending, poolSize });
  } catch (error) {
    const reason = error instanceof AggregateError ? 'no connection' : (error as Error).message;
    return [fail('database', `It cannot be used: ${reason}.`, 'Start PostgreSQL, or correct DATABASE_URL.')];
  } finally {
    void client.end().catch(() => {});
  }
}

async function readFacts(client: Client): Promise<Facts> {
  const { rows } = await client.query<Facts>(
    `select current_setting('server_version_num')::int as version,
            (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
            current_setting('max_connections')::int as connections,
            has_schema_privilege(current_schema(), 'create') as "mayCreate",
            coalesce((select bool_and(has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
                                  and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
                        from pg_class
                       where relnamespace = current_schema()::regnamespace and relkind = 'r'), true) as "mayWrite",
            to_regclass('migrations') is not null as migrated`,
  );
  return rows[0] as Facts;
}

async function pendingMigrations(
  client: Client,
  { migrated }: Facts,
  migrations: Asked['migrations'],
): Promise<string[]> {
  const names = migrations.map((Migration) => new Migration().name ?? Migration.name);
  if (!migrated) return names;
  const { rows } = await client.query<{ name: string }>('select name from migrations');
  const done = new Set(rows.map(({ name }) => name));
  return names.filter((name) => !done.has(name));
}

interface Seen {
  facts: Facts;
  clockMs: number;
  pending: readonly string[];
  poolSize: number;
}

function judge({ facts, clockMs, pending, poolSize }: Seen): Finding[] {
  const { version, connections, mayCreate, mayWrite } = facts;
  const major = Math.floor(version / 10_000);
  const room = poolSize + OTHER_CONNECTIONS;
  const names = pending.join(', ');
  return [
    version >= OLDEST
      ? ok('database', `PostgreSQL ${major} answers.`)
      : fail('database', `PostgreSQL ${major} is too old.`, 'Upgrade it to 15 or later.'),
    pending.length === 0
      ? ok('migrations', 'All are applied.')
      : mayCreate
        ? warn('migrations', `The next start applies ${names}.`, 'Make a backup first, if it has data.')
        : fail(
            'migrations',
            `${names} must be applied, and the user may not.`,
            'Grant CREATE on the schema.',
          ),
    mayWrite
      ? ok('privileges', 'The user may read and write every table.')
      : fail('privileges', 'There are tables that the user may not write.', 'Make the user their owner.'),
    Math.abs(clockMs) <= MAX_CLOCK_MS
      ? ok('database clock', `It is ${clockMs} ms from ours.`)
      : fail('database clock', `It is ${clockMs} ms from ours.`, 'Let both machines take their time by NTP.'),
    connections >= room
      ? ok('database connections', `PostgreSQL takes ${connections}.`)
      : warn(
          'database connections',
          `PostgreSQL takes ${connections}, and ${room} may be needed.`,
          'Raise its max_connections, or lower DATABASE_POOL_SIZE.',
        ),
  ];
}
