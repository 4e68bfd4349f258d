import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';
import { migrations } from '../../../migrations/index.js';
import { createDataSource } from '../../platform/database/data-source.js';
import { migrate } from '../../platform/database/migrate.js';
import { PROCESS, type Terminal } from './export.command.js';
import { withDatabase } from './place.store.js';
import { LineHash, type Summary, type Table, type TablesStore } from './tables.store.js';

const USAGE = `Usage: npm run -s import -- --file streamgate.export.gz [--replace]
       npm run -s import < streamgate.export.gz
  --file     an export; without it stdin is read
  --replace  delete all data that the database has; without it, a database with data is left alone
Imports into DATABASE_URL, or into the embedded database in DATA_DIR while no server runs.`;

/** Names of all migrations of this version. */
const KNOWN = migrations.map((Migration) => new Migration().name ?? Migration.name);
const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const BATCH_BYTES = 1024 * 1024;
const BATCH_ROWS = 1000;

/** A line that is not a row: the header, the beginning or the end of a table, or the end of the export. */
interface Mark {
  streamgate?: string;
  format?: number;
  migrations?: string[];
  table?: string;
  columns?: string[];
  end?: string;
  rows?: number;
  sha256?: string;
  done?: boolean;
}

/**
 * `npm run import`: reads an export into a database in one transaction, and compares counts and hashes of what is stored.
 * @returns the exit code: 0, 1 where it fails and nothing was changed, 2 for wrong arguments.
 */
export async function runImportCommand(
  args: readonly string[],
  terminal: Terminal = PROCESS,
  input: Readable = process.stdin,
): Promise<number> {
  const options = readOptions(args);
  if (options === undefined || options.help) {
    terminal.say(USAGE);
    return options?.help ? 0 : 2;
  }
  try {
    const source = options.file === undefined ? input : await openFile(options.file);
    await withDatabase(terminal.load(), 'write', async (database, url) => {
      const lines = linesOf(source);
      try {
        const header = await readHeader(lines);
        await migrateTo(url, header);
        await new Import(database, terminal.say, options.replace ?? false).run(lines);
        await migrateTo(url, KNOWN);
      } finally {
        await lines.return(undefined);
      }
    });
    return 0;
  } catch (error) {
    terminal.say(`The import failed. ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

function readOptions(args: readonly string[]) {
  const options = {
    file: { type: 'string' },
    replace: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch {
    return undefined;
  }
}

/** Opens `file`. @throws when it cannot be read. */
async function openFile(file: string): Promise<Readable> {
  const stream = createReadStream(file);
  await once(stream, 'open');
  return stream;
}

async function* linesOf(source: Readable): AsyncGenerator<string> {
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  let rest = '';
  for await (const piece of source.pipe(gunzip).setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** @returns the names of the migrations that the export's database had. */
async function readHeader(lines: AsyncGenerator<string>): Promise<string[]> {
  const { value } = (await lines.next()) as { value: string | undefined };
  const header = value === undefined ? {} : (JSON.parse(value) as Mark);
  if (header.streamgate !== 'export' || header.format !== 1 || !header.migrations)
    throw new Error('This is not an export of Streamgate, or it is from a newer version.');
  return header.migrations;
}

/** Migrates the database to the migrations `names`: the rows of an export fit the schema that it was made with. */
async function migrateTo(url: string, names: readonly string[]): Promise<void> {
  const known = migrations.filter((Migration) => names.includes(new Migration().name ?? Migration.name));
  if (known.length < names.length)
    throw new Error('The export is from a newer Streamgate: update this one first.');
  const dataSource = createDataSource({ url, poolSize: 1, entities: [], migrations: known });
  await dataSource.initialize();
  try {
    await migrate(dataSource, QUIET, { known: KNOWN, ...(known.length < KNOWN.length && { functions: [] }) });
  } finally {
    await dataSource.destroy();
  }
}

/** Imports the lines of one export, in one transaction. */
class Import {
  private readonly summaries = new Map<string, Summary>();
  private batch: string[] = [];
  private bytes = 0;
  private table: Table | undefined;
  private hash = new LineHash();

  constructor(
    private readonly database: TablesStore,
    private readonly say: (text: string) => void,
    private readonly replace: boolean,
  ) {}

  async run(lines: AsyncIterable<string>): Promise<void> {
    const tables = await this.database.tables();
    await this.database.begin();
    await this.prepare(tables);
    let isDone = false;
    for await (const line of lines) {
      if (line.startsWith('[')) await this.addRow(line);
      else isDone = await this.handleMark(JSON.parse(line) as Mark, tables);
    }
    if (!isDone) throw new Error('The export is cut off: its end is missing.');
    await this.verify(tables);
    await this.database.commit();
    const rows = [...this.summaries.values()].reduce((sum, summary) => sum + summary.rows, 0);
    this.say(`Imported and verified ${rows} rows of ${this.summaries.size} tables.`);
  }

  /** Locks the tables. Empties them with `--replace`; otherwise requires that they are empty. */
  private async prepare(tables: readonly Table[]): Promise<void> {
    await this.database.lock(tables);
    if (this.replace) return this.database.truncate(tables);
    for (const table of tables) {
      if (await this.database.hasRows(table))
        throw new Error(
          `The database has data (table ${table.name}): use an empty one, or replace the data with --replace.`,
        );
    }
  }

  private async addRow(line: string): Promise<void> {
    this.hash.add([line]);
    this.batch.push(line);
    this.bytes += line.length;
    if (this.batch.length >= BATCH_ROWS || this.bytes >= BATCH_BYTES) await this.flush();
  }

  /** @returns whether this is the end of the export. */
  private async handleMark(mark: Mark, tables: readonly Table[]): Promise<boolean> {
    if (mark.table !== undefined) this.begin(mark, tables);
    if (mark.end !== undefined) {
      await this.flush();
      const summary = this.hash.end();
      if (summary.rows !== mark.rows || summary.sha256 !== mark.sha256)
        throw new Error(
          `The export is damaged: the rows of ${mark.end} differ from those that were exported.`,
        );
      this.summaries.set(mark.end, summary);
      this.say(`${mark.end}: ${summary.rows} rows`);
    }
    return mark.done === true;
  }

  private begin({ table: name, columns = [] }: Mark, tables: readonly Table[]): void {
    const table = tables.find((one) => one.name === name);
    if (!table || table.columns.map((column) => column.name).join() !== columns.join())
      throw new Error(`The export does not fit the database: table ${name}.`);
    this.table = table;
    this.hash = new LineHash();
  }

  private async flush(): Promise<void> {
    if (this.batch.length === 0 || !this.table) return;
    await this.database.insert(this.table, this.batch);
    this.batch = [];
    this.bytes = 0;
  }

  /** Moves identity sequences past the imported values, and compares all stored rows with the export. */
  private async verify(tables: readonly Table[]): Promise<void> {
    for (const table of tables) {
      await this.database.moveIdentities(table);
      const hash = new LineHash();
      for await (const lines of this.database.readLines(table)) hash.add(lines);
      const stored = hash.end();
      const exported = this.summaries.get(table.name);
      if (stored.rows !== exported?.rows || stored.sha256 !== exported.sha256)
        throw new Error(`The rows stored in ${table.name} differ from the export.`);
    }
  }
}
