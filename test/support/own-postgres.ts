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

/** A PostgreSQL that a test may harm. */
export interface OwnPostgres {
  /** Of a proxy before it: the same through all its lives. */
  readonly url: string;
  /** Without the proxy; another after a {@link start}. */
  directUrl(): string;
  /** Sends a signal to its main process and all its children. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Ends it as a crash does; it stays so until {@link start}. */
  kill(): Promise<void>;
  /** Ends it in order; connections are refused until {@link start}. */
  shutDown(): Promise<void>;
  /** Starts it again, also after a crash. */
  start(): Promise<void>;
  /** Passes each piece of its answers on only after so many milliseconds. */
  slow(ms: number): void;
  /** Ends it, and removes its data if the folder is its own. */
  remove(): Promise<void>;
}

/** Starts one, in a folder of its own where none is given. */
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
      // Before anybody notices: it is not to be started again by itself.
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
    if (parent === main && pid !== undefined) killIfThere(pid, signal);
  }
}

/** A child may have ended since it was listed. */
function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
