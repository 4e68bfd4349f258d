import { createHash } from 'node:crypto';
import type { Client } from 'pg';

export type { Client };

/** A table and how its rows are carried: each as a JSON array of its columns' texts. */
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

/** Tables that belong to a database or to running processes: migrations, leases, probes. */
const NOT_CARRIED = ['migrations', 'streamgate_functions', 'nodes', 'write_probes', 'write_times'];
const FETCH_ROWS = 500;

/** Reads the tables that are carried, by name. */
export async function readTables(client: Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(
    `select c.relname as name,
       (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'isIdentity', a.attidentity <> '') order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       (select coalesce(json_agg(a.attname order by array_position(i.indkey::int2[], a.attnum)), '[]') from pg_index i
        join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
        where i.indrelid = c.oid and i.indisprimary) as key
     from pg_class c
     where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname <> all($1)
     order by c.relname collate "C"`,
    [NOT_CARRIED],
  );
  return rows;
}

/** Quotes a name of PostgreSQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Reads the rows of a table, in the order of its key; the client must be in a transaction. Yields some lines at a time. */
export async function* readLines(client: Client, { name, columns, key }: Table): AsyncGenerator<string[]> {
  const texts = columns.map((column) => `${quoted(column.name)}::text`).join(', ');
  const order = (key.length > 0 ? key : columns.map((column) => column.name)).map(quoted).join(', ');
  await client.query(
    `declare carried no scroll cursor for
     select json_build_array(${texts})::text as line from ${quoted(name)} order by ${order}`,
  );
  for (;;) {
    const { rows } = await client.query<{ line: string }>(`fetch ${FETCH_ROWS} from carried`);
    if (rows.length === 0) break;
    // One form on both sides, whatever spaces PostgreSQL puts between elements.
    yield rows.map(({ line }) => JSON.stringify(JSON.parse(line)));
  }
  await client.query('close carried');
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
