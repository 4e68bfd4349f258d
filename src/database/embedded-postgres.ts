import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { accountFor } from './embedded/account.js';
import { type BinaryPlaces, findBinaries } from './embedded/binaries.js';
import { openCluster, prepareDataDir } from './embedded/cluster.js';
import { takeOwnership, urlOf } from './embedded/ownership.js';
import {
  findPostmaster,
  type Launch,
  launchPostmaster,
  type Postmaster,
  stopPostmaster,
} from './embedded/postmaster.js';
import type { DatabaseLog } from './log.js';
import { StartError } from './start-error.js';

export interface EmbeddedPostgresOptions extends BinaryPlaces {
  /** Folder that holds everything: the cluster in `postgres`, its log in `postgres.log`. Made if it is missing. */
  dataDir: string;
  log: DatabaseLog;
  /** PostgreSQL settings beside or instead of our own. */
  settings?: Readonly<Record<string, string>>;
}

/** A running PostgreSQL that belongs to this process. */
export interface EmbeddedPostgres {
  /** Reachable from this machine alone; holds the password. */
  readonly url: string;
  /** Ends PostgreSQL and waits until it has; further calls do nothing more. */
  stop(): Promise<void>;
}

/** How long a start is tried again after what passes by itself: orphans that still end, a port that was taken meanwhile. */
const RETRY_MS = 10_000;
const RETRY_DELAY_MS = 100;
const PASSES_BY_ITSELF =
  /lock file ".*" already exists|shared memory block|could not bind|could not create any TCP/;

/**
 * Starts the embedded PostgreSQL on `dataDir`, or takes over the one that a killed process left running there.
 * @throws {StartError} with a sentence that says what to do; no data is touched then.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  if (process.platform === 'win32') {
    throw new StartError('The embedded PostgreSQL runs on Linux and macOS: set DATABASE_URL, or use WSL.');
  }
  try {
    return await start(options);
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    if (error instanceof StartError || code === undefined) throw error;
    throw new StartError(`The embedded PostgreSQL cannot use ${path ?? options.dataDir}: ${message}.`, {
      cause: error,
    });
  }
}

async function start({ dataDir, log, settings = {}, ...places }: EmbeddedPostgresOptions) {
  const home = await prepareDataDir(dataDir);
  const folder = join(home, 'postgres');
  const account = await accountFor(folder);
  const binaries = await findBinaries(account, places);
  const password = await openCluster(folder, binaries, account);
  const logFile = join(home, 'postgres.log');
  const launch: Launch = { folder, logFile, program: binaries.postgres, account, settings };
  const { postmaster, session } = await own(launch, password, log);
  return handle({ postmaster, session, url: urlOf(postmaster, password), log });
}

interface Owned {
  postmaster: Postmaster;
  session: Client;
}

/** Finds or launches PostgreSQL until one is ours. */
async function own(launch: Launch, password: string, log: DatabaseLog): Promise<Owned> {
  const deadline = Date.now() + RETRY_MS;
  for (;;) {
    const found = await findPostmaster(launch.folder, launch.logFile);
    const postmaster = found ?? (await launchPostmaster(launch));
    const session = await takeOwnership(postmaster, password, log);
    if (session) {
      if (found) log.info(`Took over the PostgreSQL (pid ${found.pid}) that was still running.`);
      return { postmaster, session };
    }
    const lastWords = await postmaster.lastWords();
    if (!found && !(PASSES_BY_ITSELF.test(lastWords) && Date.now() < deadline)) {
      throw new StartError(`PostgreSQL did not start; ${launch.logFile} ends with:\n${lastWords}`);
    }
    await delay(RETRY_DELAY_MS);
  }
}

function handle({ postmaster, session, url, log }: Owned & { url: string; log: DatabaseLog }) {
  let stopping: Promise<void> | undefined;
  session.on('error', (error) => {
    if (!stopping) log.error(`The embedded PostgreSQL (pid ${postmaster.pid}) is gone: ${error.message}.`);
  });
  const stop = async (): Promise<void> => {
    // The lock goes last: who starts now must not take over a server that is about to end.
    const ended = await stopPostmaster(postmaster);
    if (!ended) log.error(`The embedded PostgreSQL (pid ${postmaster.pid}) does not end.`);
    await session.end();
  };
  return { url, stop: () => (stopping ??= stop()) };
}
