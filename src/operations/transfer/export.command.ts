import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { loadEnvironment } from '../../platform/config/environment.js';
import type { Config } from '../../platform/config/config.js';
import { withDatabase } from './place.store.js';
import { LineHash, type TablesStore } from './tables.store.js';

const USAGE = `Usage: npm run -s export -- --file streamgate.export.gz
       npm run -s export > streamgate.export.gz
  --file  where to write; without it the export goes to stdout. It gets this name when it is complete.
Exports DATABASE_URL, or the embedded database in DATA_DIR, also while the server runs.`;

/** Where a command writes and what it reads its configuration from. */
export interface Terminal {
  out: Writable;
  say: (text: string) => void;
  load: () => Config;
}

/** The process's own streams and environment. */
export const PROCESS: Terminal = {
  out: process.stdout,
  say: (text) => process.stderr.write(`${text}\n`),
  load: loadEnvironment,
};

/**
 * `npm run export`: writes all data as compressed lines of JSON, as of one moment, and progress to stderr.
 * @returns the exit code: 0, 1 where it fails, 2 for wrong arguments.
 */
export async function runExportCommand(
  args: readonly string[],
  terminal: Terminal = PROCESS,
): Promise<number> {
  const options = readOptions(args);
  const toTerminal = options?.file === undefined && 'isTTY' in terminal.out && terminal.out.isTTY === true;
  if (options === undefined || options.help || toTerminal) {
    terminal.say(USAGE);
    return options?.help ? 0 : 2;
  }
  try {
    const { file } = options;
    await withDatabase(terminal.load(), 'read', async (database) => {
      const lines = Readable.from(exportLines(database, terminal.say));
      if (file === undefined) return await writeTo(lines, terminal.out);
      const part = `${file}.part`;
      try {
        await pipeline(lines, createGzip(), createWriteStream(part, { mode: 0o600 }));
        await rename(part, file);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    });
    return 0;
  } catch (error) {
    terminal.say(`The export failed. ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

function readOptions(args: readonly string[]) {
  const options = { file: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch {
    return undefined;
  }
}

async function writeTo(lines: Readable, out: Writable): Promise<void> {
  const gzip = createGzip();
  const written = pipeline(lines, gzip);
  for await (const piece of gzip) if (!out.write(piece)) await once(out, 'drain');
  await written;
}

/** The lines of an export: a header, each table with its rows and their summary, and an end. All are of one snapshot. */
async function* exportLines(database: TablesStore, say: (text: string) => void): AsyncGenerator<string> {
  const migrations = await database.beginSnapshot();
  yield line({ streamgate: 'export', format: 1, migrations, createdAt: new Date().toISOString() });
  let total = 0;
  const tables = await database.tables();
  for (const table of tables) {
    yield line({ table: table.name, columns: table.columns.map(({ name }) => name) });
    const hash = new LineHash();
    for await (const lines of database.readLines(table)) {
      hash.add(lines);
      yield `${lines.join('\n')}\n`;
    }
    const summary = hash.end();
    total += summary.rows;
    yield line({ end: table.name, ...summary });
    say(`${table.name}: ${summary.rows} rows`);
  }
  await database.commit();
  yield line({ done: true, tables: tables.length, rows: total });
  say(`Exported ${total} rows of ${tables.length} tables.`);
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
