import type { Client } from 'pg';

/** When a pooler between this process and PostgreSQL gives a session to somebody else; `none` without a pooler. */
type Pooling = 'none' | 'session' | 'transaction' | 'statement';

/** What a start and the doctor must know of a server before they use it. */
export interface ServerFacts {
  /** As PostgreSQL counts them: 150004 is 15.4. */
  version: number;
  encoding: string;
  database: string;
  user: string;
  /** Where tables are created; null where the search path has no schema that exists. */
  schema: string | null;
  mayCreate: boolean;
  /** Whether Streamgate's tables are there. */
  migrated: boolean;
  standby: boolean;
  readOnly: boolean;
  pooling: Pooling;
}

/** Why a server cannot be used. */
export interface ServerFault {
  /** A clause without a subject: "is version 14". */
  message: string;
  /** What to do: an imperative without a capital letter and full stop. */
  remedy: string;
  /** Whether it may pass by itself, so that a start waits for it. */
  passes?: boolean;
}

const OLDEST_MAJOR = 15;
/** How PgBouncer refuses `begin` in statement mode. */
const STATEMENT_MODE = /statement pooling/i;

const FACTS = `select current_setting('server_version_num')::int as version,
    current_setting('server_encoding') as encoding, current_database() as database, current_user as "user",
    current_schema()::text as schema, coalesce(has_schema_privilege(current_schema(), 'create'), false) as "mayCreate",
    to_regclass('migrations') is not null as migrated, pg_is_in_recovery() as standby,
    current_setting('transaction_read_only') = 'on' as "readOnly", pg_backend_pid() as pid`;

/**
 * Reads what there is to know of the server of `client`, which has just connected.
 * @param connect opens another connection to it.
 */
export async function readServerFacts(client: Client, connect: () => Promise<Client>): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts & { pid: number }>(FACTS);
  const { pid, ...facts } = rows[0] as ServerFacts & { pid: number };
  // PostgreSQL names its own process when a client connects, and a pooler names something else.
  const { processID } = client as Client & { processID: number };
  return { ...facts, pooling: processID === pid ? 'none' : await poolingOf(client, connect) };
}

/**
 * Two clients hold a session each for a transaction, and give them back in the same order: a pooler that shares sessions
 * then gives at least one of them another.
 */
async function poolingOf(first: Client, connect: () => Promise<Client>): Promise<Pooling> {
  let second: Client | undefined;
  try {
    second = await connect();
    const clients = [first, second];
    const before: number[] = [];
    for (const client of clients) {
      await client.query('begin');
      before.push(await pidOf(client));
    }
    for (const client of clients) await client.query('commit');
    // Each twice in a row: a pooler that goes round would give both their own the first time.
    for (const [index, client] of clients.entries()) {
      const after = [await pidOf(client), await pidOf(client)];
      if (after.some((pid) => pid !== before[index])) return 'transaction';
    }
    return 'session';
  } catch (error) {
    if (STATEMENT_MODE.test((error as Error).message)) return 'statement';
    throw error;
  } finally {
    void second?.end().catch(() => {});
  }
}

async function pidOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}

/** Returns why the server cannot be used, the gravest first; nothing where it can. */
export function faultsOf(facts: ServerFacts): ServerFault[] {
  const major = Math.floor(facts.version / 10_000);
  const { database, encoding, user } = facts;
  const faults: (ServerFault | false)[] = [
    major < OLDEST_MAJOR && {
      message: `is version ${major}, and Streamgate needs ${OLDEST_MAJOR} or later`,
      remedy: 'upgrade it, or set DATABASE_URL to another',
    },
    (facts.pooling === 'transaction' || facts.pooling === 'statement') && {
      message: `is reached through a pooler in ${facts.pooling} mode, which gives the sessions of Streamgate to others`,
      remedy:
        "set the pooler to session mode for this database (PgBouncer: pool_mode = session), or connect to PostgreSQL's own port",
    },
    encoding !== 'UTF8' && {
      message: `has the database ${database} in the encoding ${encoding}, and Streamgate needs UTF8`,
      remedy: `create another, such as by: create database NAME encoding 'UTF8' template template0; and name it in DATABASE_URL`,
    },
    facts.schema === null && {
      message: `has no schema for the user ${user} in the database ${database}`,
      remedy: `create one that its search_path names, such as by: create schema authorization "${user}"`,
    },
    facts.standby && {
      message: 'is a standby, which can only be read',
      remedy: 'name its primary in DATABASE_URL',
      passes: true,
    },
    facts.readOnly &&
      !facts.standby && {
        message: 'lets this user only read (default_transaction_read_only is on)',
        remedy: 'find out who set that, and reset it',
        passes: true,
      },
    facts.schema !== null && !facts.migrated && !facts.mayCreate && noRightToCreate(facts),
  ];
  return faults.filter((fault) => fault !== false);
}

/** The user may not create tables and functions, as in the schema `public` since PostgreSQL 15. */
export function noRightToCreate({
  user,
  schema,
  database,
}: Pick<ServerFacts, 'user' | 'schema' | 'database'>): ServerFault {
  return {
    message: `does not let the user ${user} create tables in the schema ${schema} of the database ${database}`,
    remedy: `make the user its owner (alter database "${database}" owner to "${user}"), or run: grant create on schema "${schema}" to "${user}"`,
  };
}
