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

/** A PostgreSQL that belongs to this process, and runs until it is stopped: one that dies is started again. */
export interface EmbeddedPostgres {
  /** Reachable from this machine alone; holds the password. The same through all its lives. */
  readonly url: string;
  /** Ends PostgreSQL and waits until it has; further calls do nothing more. */
  stop(): Promise<void>;
}

/** How long a start is tried again after what passes by itself: orphans that still end, a port that was taken meanwhile. */
const RETRY_MS = 10_000;
const RETRY_DELAY_MS = 100;
/** Between tries to start one again that died, such as while its disk is full. */
const REVIVE_DELAY_MS = 2000;
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
  return new Keeper({ launch, password, log }, await own(launch, password, log));
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

interface Keeping {
  launch: Launch;
  password: string;
  log: DatabaseLog;
}

/** Keeps PostgreSQL ours and running: it ends by itself where its disk is full or memory is short, and takes our lock with it. */
class Keeper implements EmbeddedPostgres {
  readonly url: string;
  private owned: Owned;
  private reviving: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly keeping: Keeping,
    owned: Owned,
  ) {
    this.url = urlOf(owned.postmaster, keeping.password);
    this.owned = this.watched(owned);
  }

  stop(): Promise<void> {
    return (this.stopping ??= this.end());
  }

  private async end(): Promise<void> {
    await this.reviving;
    const { postmaster, session } = this.owned;
    // The lock goes last: who starts now must not take over a server that is about to end.
    const ended = await stopPostmaster(postmaster);
    if (!ended) this.keeping.log.error(`The embedded PostgreSQL (pid ${postmaster.pid}) does not end.`);
    await session.end();
  }

  private watched(owned: Owned): Owned {
    const { postmaster, session } = owned;
    session.on('error', (error) => {
      if (this.stopping || this.reviving) return;
      this.keeping.log.error(`The embedded PostgreSQL (pid ${postmaster.pid}) is gone: ${error.message}.`);
      this.reviving = this.revive();
    });
    return owned;
  }

  /** Starts it again, or waits for it where it recovers by itself, and takes the lock anew; on its old port, which `url` names. */
  private async revive(): Promise<void> {
    const { launch, password, log } = this.keeping;
    const { port } = this.owned.postmaster;
    while (!this.stopping) {
      try {
        this.owned = this.watched(await own({ ...launch, port }, password, log));
        this.reviving = undefined;
        return log.info(`The embedded PostgreSQL runs again (pid ${this.owned.postmaster.pid}).`);
      } catch (error) {
        log.error(`The embedded PostgreSQL could not be started again: ${(error as Error).message}`);
        await delay(REVIVE_DELAY_MS);
      }
    }
  }
}
