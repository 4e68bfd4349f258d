import { createHash } from 'node:crypto';
import type { Client } from 'pg';

/** A table to export. Each of its rows becomes a JSON array of its columns as text. */
export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** The columns that order its rows. */
  readonly key: readonly string[];
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly isIdentity: boolean;
}

/** Rows of one table, and the hash of all their lines. */
export interface Summary {
  rows: number;
  sha256: string;
}

/** Tables that concern only this database or its running processes: migrations, leases, probes. */
const NOT_EXPORTED = ['migrations', 'streamgate_functions', 'nodes', 'write_probes', 'write_times'];
const FETCH_ROWS = 500;

const TABLES = `select c.relname as name,
       (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'isIdentity', a.attidentity <> '') order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       (select coalesce(json_agg(a.attname order by array_position(i.indkey::int2[], a.attnum)), '[]') from pg_index i
        join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
        where i.indrelid = c.oid and i.indisprimary) as key
     from pg_class c
     where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname <> all($1)
     order by c.relname collate "C"`;

/** The tables of one database, on a session of its own that has no time limits. */
export class TablesStore {
  constructor(private readonly client: Client) {}

  /** Begins to read as of one moment. @returns the names of the migrations that the database has. */
  async beginSnapshot(): Promise<string[]> {
    await this.client.query('begin isolation level repeatable read read only');
    const { rows } = await this.client.query<{ name: string }>('select name from migrations order by id');
    return rows.map(({ name }) => name);
  }

  /** Begins to write. */
  async begin(): Promise<void> {
    await this.client.query('begin');
  }

  async commit(): Promise<void> {
    await this.client.query('commit');
  }

  /** Returns the tables to export, in the order of their names. */
  async tables(): Promise<Table[]> {
    const { rows } = await this.client.query<Table>(TABLES, [NOT_EXPORTED]);
    return rows;
  }

  /** Locks tables, so that only this session may use them. */
  async lock(tables: readonly Table[]): Promise<void> {
    await this.client.query(`lock table ${namesOf(tables)} in access exclusive mode`);
  }

  /** Deletes all rows. */
  async truncate(tables: readonly Table[]): Promise<void> {
    await this.client.query(`truncate ${namesOf(tables)}`);
  }

  async hasRows({ name }: Table): Promise<boolean> {
    const { rowCount } = await this.client.query(`select from ${quoted(name)} limit 1`);
    return rowCount !== 0;
  }

  /** Reads the rows of a table, in the order of its key, within a transaction. Yields some lines at a time. */
  async *readLines({ name, columns, key }: Table): AsyncGenerator<string[]> {
    const texts = columns.map((column) => `${quoted(column.name)}::text`).join(', ');
    const order = (key.length > 0 ? key : columns.map((column) => column.name)).map(quoted).join(', ');
    await this.client.query(
      `declare exported no scroll cursor for
       select json_build_array(${texts})::text as line from ${quoted(name)} order by ${order}`,
    );
    for (;;) {
      const { rows } = await this.client.query<{ line: string }>(`fetch ${FETCH_ROWS} from exported`);
      if (rows.length === 0) break;
      // Normalized, so that hashes do not depend on the spaces that PostgreSQL puts between elements.
      yield rows.map(({ line }) => JSON.stringify(JSON.parse(line)));
    }
    await this.client.query('close exported');
  }

  /** Inserts the rows of `lines`, as {@link readLines} yields them. */
  async insert({ name, columns }: Table, lines: readonly string[]): Promise<void> {
    const names = columns.map((column) => quoted(column.name)).join(', ');
    const values = columns.map(({ type }, index) => `(r->>${index})::${type}`).join(', ');
    await this.client.query(
      `insert into ${quoted(name)} (${names}) overriding system value
       select ${values} from json_array_elements($1::json) r`,
      [`[${lines.join(',')}]`],
    );
  }

  /** Moves a table's identities past the rows that it has. */
  async moveIdentities({ name: table, columns }: Table): Promise<void> {
    for (const { name } of columns.filter(({ isIdentity }) => isIdentity)) {
      await this.client.query(
        `select setval(pg_get_serial_sequence($1, $2), coalesce(max(${quoted(name)}), 0) + 1, false)
         from ${quoted(table)}`,
        [quoted(table), name],
      );
    }
  }
}

function namesOf(tables: readonly Table[]): string {
  return tables.map(({ name }) => quoted(name)).join(', ');
}

/** Quotes an SQL identifier. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Counts and hashes lines. */
export class LineHash {
  private readonly hash = createHash('sha256');
  private rows = 0;

  add(lines: readonly string[]): void {
    this.rows += lines.length;
    for (const line of lines) this.hash.update(`${line}\n`);
  }

  /** Returns the summary; nothing can be added after it. */
  end(): Summary {
    return { rows: this.rows, sha256: this.hash.digest('hex') };
  }
}
