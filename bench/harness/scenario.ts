import type { Cleanup } from './cleanup.js';
import type { BenchDatabase } from './database.js';
import { figureOf, type Figure } from './figures.js';
import type { Options } from './options.js';
import type { ServerProcess } from './processes.js';

/** What one server did in one case, over all rounds. */
export interface Row {
  case: string;
  server: string;
  figures: Record<string, Figure>;
}

export interface Context {
  options: Options;
  cleanup: Cleanup;
  database: BenchDatabase;
  /** Tells the person who waits. */
  say: (line: string) => void;
  /** Runs `work` with `server` under the profiler and keeps what it found. */
  profile: (server: ServerProcess, work: () => Promise<unknown>) => Promise<void>;
}

/** One comparison. It ends by itself and leaves what it started to the context's cleanup. */
export interface Scenario {
  about: string;
  run(context: Context): Promise<Row[]>;
}

/** Collects the rounds' values of each server and case. */
export class Rows {
  private readonly values = new Map<
    string,
    { case: string; server: string; rounds: Map<string, number[]> }
  >();

  add(name: string, server: string, round: Record<string, number>): void {
    const key = `${name}\0${server}`;
    const row = this.values.get(key) ?? { case: name, server, rounds: new Map<string, number[]>() };
    this.values.set(key, row);
    for (const [figure, value] of Object.entries(round)) {
      row.rounds.set(figure, [...(row.rounds.get(figure) ?? []), value]);
    }
  }

  list(): Row[] {
    return [...this.values.values()].map(({ case: name, server, rounds }) => ({
      case: name,
      server,
      figures: Object.fromEntries([...rounds].map(([figure, values]) => [figure, figureOf(values)])),
    }));
  }
}

/** Whether `--only` lets this server in. */
export function isWanted(options: Options, name: string): boolean {
  return options.only.length === 0 || options.only.some((part) => name.toLowerCase().includes(part));
}

/** What a server and the database spent while `work` ran. */
export async function spent<T>(server: ServerProcess, database: BenchDatabase, work: () => Promise<T>) {
  const before = await server.usage();
  const databaseBefore = await database.cpuUs();
  const startedAt = performance.now();
  const result = await work();
  const wallUs = (performance.now() - startedAt) * 1000;
  const after = await server.usage();
  const databaseAfter = await database.cpuUs();
  const databaseUs =
    databaseBefore === null || databaseAfter === null ? Number.NaN : databaseAfter - databaseBefore;
  return { result, cpuUs: after.cpuUs - before.cpuUs, databaseUs, wallUs };
}
