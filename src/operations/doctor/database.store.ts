import { Client } from 'pg';
import type { MigrationInterface } from 'typeorm';
import { databaseFunctions } from '../../platform/database/functions.js';
import {
  faultsOf,
  noRightToCreate,
  readServerFacts,
  type ServerFacts,
} from '../../platform/database/server-facts.js';
import { fail, ok, warn, type Finding } from './finding.js';

const TIMEOUT_MS = 8000;
/** Clocks further apart than this let tokens begin or end at the wrong time. */
const MAX_CLOCK_MS = 2000;
/** Connections in addition to the pool: the dedicated ones, and those that only the start needs. */
const OTHER_CONNECTIONS = 13;

/** What the checks read in addition to {@link ServerFacts}. */
interface Facts {
  now: number;
  connections: number;
  mayWrite: boolean;
}

interface DatabaseCheckOptions {
  url: string;
  poolSize: number;
  migrations: readonly (new () => MigrationInterface)[];
}

/** Checks that the database is reachable, recent, migrated and in time with us, and that the user has the rights it needs. Changes nothing. */
export async function checkDatabase({ url, poolSize, migrations }: DatabaseCheckOptions): Promise<Finding[]> {
  const clients: Client[] = [];
  const connect = async (to = url): Promise<Client> => {
    const client = new Client({
      connectionString: to,
      application_name: 'streamgate doctor',
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
    });
    clients.push(client);
    client.on('error', () => {}); // The pending call rejects with it as well.
    await client.connect();
    return client;
  };
  try {
    const client = await connect();
    const server = await readServerFacts(client, () => connect());
    const faults = faultsOf(server).map(({ message, remedy }) =>
      fail('database', `PostgreSQL ${message}.`, sentence(remedy)),
    );
    if (server.pooling === 'transaction' || server.pooling === 'statement') return faults;
    const before = Date.now();
    const facts = await readFacts(client);
    const clockMs = Math.round(facts.now - (before + Date.now()) / 2);
    const changes = await readChanges(client, server, migrations);
    const pooler =
      server.pooling === 'session' ? [findingOfPooler(await poolerRoom(url, connect), poolSize)] : [];
    const findings = findingsOf({ server, faults, facts, clockMs, changes, poolSize });
    return [...findings, ...pooler, ...(await checkServers(client))];
  } catch (error) {
    const reason = error instanceof AggregateError ? 'no connection' : (error as Error).message;
    return [fail('database', `It cannot be used: ${reason}.`, 'Start PostgreSQL, or correct DATABASE_URL.')];
  } finally {
    for (const client of clients) void client.end().catch(() => {});
  }
}

/** Warns where several servers use the database: no relay connects them yet. */
async function checkServers(client: Client): Promise<Finding[]> {
  const { rows: tables } = await client.query<{ readable: boolean | null }>(
    `select has_table_privilege(to_regclass('nodes'), 'select') as readable`,
  );
  if (!tables[0]?.readable) return [];
  const { rows } = await client.query<{ servers: number }>(
    'select count(*)::int as servers from nodes where lease_until > now()',
  );
  const servers = rows[0]?.servers ?? 0;
  if (servers < 2) return [];
  return [
    warn(
      'servers',
      `${servers} servers use this database, and no relay connects them.`,
      'Stop all but one, unless this is a deploy, or one was killed seconds ago.',
    ),
  ];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

async function readFacts(client: Client): Promise<Facts> {
  const { rows } = await client.query<Facts>(
    `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
            current_setting('max_connections')::int as connections,
            coalesce((select bool_and(has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
                                  and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
                        from pg_class
                       where relnamespace = current_schema()::regnamespace and relkind = 'r'), true) as "mayWrite"`,
  );
  return rows[0] as Facts;
}

/** Names of migrations and functions. */
interface Changes {
  /** What the next start applies. */
  pending: string[];
  /** What a newer version has applied: this one does not start. */
  unknown: string[];
}

async function readChanges(
  client: Client,
  { migrated }: ServerFacts,
  migrations: DatabaseCheckOptions['migrations'],
): Promise<Changes> {
  const names = migrations.map((Migration) => new Migration().name ?? Migration.name);
  const functions = await client.query<{ known: boolean }>(
    `select coalesce(has_table_privilege(to_regclass('streamgate_functions'), 'select'), false) as known`,
  );
  const migrationsDone = await namesIn(client, migrated, 'select name from migrations');
  const functionsDone = await namesIn(
    client,
    functions.rows[0]?.known ?? false,
    `select name || ' ' || sha256 as name from streamgate_functions`,
  );
  return {
    pending: [
      ...names.filter((name) => !migrationsDone.has(name)),
      ...databaseFunctions
        .filter(({ name, sha256 }) => !functionsDone.has(`${name} ${sha256}`))
        .map(({ name }) => name),
    ],
    unknown: [...migrationsDone].filter((name) => !names.includes(name)),
  };
}

async function namesIn(client: Client, exists: boolean, query: string): Promise<Set<string>> {
  if (!exists) return new Set();
  const { rows } = await client.query<{ name: string }>(query);
  return new Set(rows.map(({ name }) => name));
}

interface Results {
  server: ServerFacts;
  faults: readonly Finding[];
  facts: Facts;
  clockMs: number;
  changes: Changes;
  poolSize: number;
}

function findingsOf({ server, faults, facts, clockMs, changes, poolSize }: Results): Finding[] {
  const { connections, mayWrite } = facts;
  const required = poolSize + OTHER_CONNECTIONS;
  return [
    ...faults,
    ...(faults.length > 0
      ? []
      : [ok('database', `PostgreSQL ${Math.floor(server.version / 10_000)} responds.`)]),
    findingOfChanges(server, changes),
    mayWrite
      ? ok('privileges', 'The user may read and write every table.')
      : fail('privileges', 'There are tables that the user may not write.', 'Make the user their owner.'),
    Math.abs(clockMs) <= MAX_CLOCK_MS
      ? ok('database clock', `It differs from ours by ${clockMs} ms.`)
      : fail('database clock', `It differs from ours by ${clockMs} ms.`, 'Synchronize both machines by NTP.'),
    connections >= required
      ? ok('database connections', `PostgreSQL allows ${connections}.`)
      : warn(
          'database connections',
          `PostgreSQL allows ${connections}, but ${required} may be needed.`,
          'Raise its max_connections, or lower DATABASE_POOL_SIZE.',
        ),
  ];
}

/** Returns how many connections a PgBouncer opens to the database of `url`; null where its console does not say. */
async function poolerRoom(url: string, connect: (to: string) => Promise<Client>): Promise<number | null> {
  const console = new URL(url);
  console.pathname = '/pgbouncer';
  try {
    const client = await connect(console.href);
    const { rows } = await client.query<{ name: string; pool_size: string }>('show databases');
    const name = decodeURIComponent(new URL(url).pathname.slice(1));
    const row = rows.find((one) => one.name === name);
    return row ? Number(row.pool_size) : null;
  } catch {
    // Another pooler, or a user whom its stats_users do not name.
    return null;
  }
}

function findingOfPooler(size: number | null, poolSize: number): Finding {
  const room = poolSize + OTHER_CONNECTIONS;
  const need = `each server may need ${room} (DATABASE_POOL_SIZE ${poolSize} and ${OTHER_CONNECTIONS} more)`;
  if (size === null) return ok('pooler', `Its pool size cannot be seen; ${need}.`);
  return size >= room
    ? ok('pooler', `It opens ${size} connections; ${need}.`)
    : warn(
        'pooler',
        `It opens only ${size} connections, and ${need}.`,
        `Raise its pool_size or default_pool_size to ${room} or more, or lower DATABASE_POOL_SIZE.`,
      );
}

function findingOfChanges(server: ServerFacts, { pending, unknown }: Changes): Finding {
  if (unknown.length > 0)
    return fail(
      'migrations',
      `A newer Streamgate has migrated the database (${unknown.join(', ')}).`,
      'Use that version or a later one, or import a backup of this version into an empty database.',
    );
  if (pending.length === 0) return ok('migrations', 'All are applied.');
  const names = pending.join(', ');
  if (server.mayCreate)
    return warn('migrations', `The next start applies ${names}.`, 'Make a backup first, if it has data.');
  const remedy = sentence(noRightToCreate(server).remedy);
  return fail('migrations', `${names} must be applied, but the user has no right to.`, remedy);
}
