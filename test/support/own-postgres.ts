import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/platform/database/embedded-postgres.js';
import { startTcpProxy } from './tcp-proxy.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

/** A PostgreSQL for one test, which may crash or slow it. */
export interface OwnPostgres {
  /** URL of a proxy in front of it; the same after every restart. */
  readonly url: string;
  /** URL without the proxy; changes with each {@link start}. */
  directUrl(): string;
  /** Sends a signal to its main process and all its children. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Kills it as a crash would. It stays down until {@link start}. */
  kill(): Promise<void>;
  /** Shuts it down cleanly. Connections are refused until {@link start}. */
  shutDown(): Promise<void>;
  /** Starts it again, also after a crash. */
  start(): Promise<void>;
  /** Delays everything that it sends by `ms` milliseconds. */
  slow(ms: number): void;
  /** Shuts it down, and removes its folder unless the caller gave one. */
  remove(): Promise<void>;
}

/** Starts a PostgreSQL in `folder`; default: a new temporary one. */
export async function startOwnPostgres(folder?: string): Promise<OwnPostgres> {
  const dataDir = folder ?? (await mkdtemp(join(tmpdir(), 'streamgate-own-')));
  let postgres: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir, log: QUIET });
  const proxy = await startTcpProxy(postgres.url);
  const url = new URL(postgres.url);
  url.port = new URL(proxy.url).port;
  return {
    url: url.href,
    directUrl: () => postgres.url,
    signal: (signal) => signalAll(dataDir, signal),
    kill: async () => {
      await signalAll(dataDir, 'SIGKILL');
      // At once, so that it is not restarted automatically.
      await postgres.stop();
    },
    shutDown: async () => {
      proxy.cut();
      await postgres.stop();
    },
    start: async () => {
      proxy.cut();
      postgres = await startEmbeddedPostgres({ dataDir, log: QUIET });
      proxy.redirect(postgres.url);
      proxy.mend();
    },
    slow: (ms) => proxy.slow(ms),
    remove: async () => {
      await proxy.close();
      await postgres.stop();
      if (folder === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function signalAll(dataDir: string, signal: NodeJS.Signals): Promise<void> {
  const [line] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
  const main = Number(line);
  process.kill(main, signal);
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  for (const row of lines) {
    const [pid, parent] = row.trim().split(/\s+/).map(Number);
    if (parent === main && pid !== undefined) killIfExists(pid, signal);
  }
}

/** Sends a signal; does nothing if the process has ended since it was listed. */
function killIfExists(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
