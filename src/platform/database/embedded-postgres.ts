import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { accountFor } from './embedded/account.js';
import { type BinaryPlaces, findBinaries } from './embedded/binaries.js';
import { openCluster, prepareDataDir } from './embedded/cluster.js';
import { OwnedByAnotherError, takeOwnership, urlOf } from './embedded/ownership.js';
import {
  findPostmaster,
  type Launch,
  launchPostmaster,
  type Postmaster,
  stopAtExit,
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

/** A PostgreSQL that belongs to this process. It is restarted if it dies, until it is stopped. */
export interface EmbeddedPostgres {
  /** Contains the password. Reachable from this machine only; stays the same over restarts. */
  readonly url: string;
  /** Stops PostgreSQL and waits until it has ended. Idempotent. `urgent`: within a few seconds, also when a stop is under way. */
  stop(urgent?: boolean): Promise<void>;
}

/** How long a start is retried after a temporary failure: orphaned processes that are still ending, a port just taken. */
const RETRY_MS = 10_000;
const RETRY_DELAY_MS = 100;
/** Delay between tries to restart a PostgreSQL that died, for instance while its disk is full. */
const RESTART_DELAY_MS = 2000;
const TEMPORARY_FAILURE =
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
  return new Supervisor({ launch, password, log }, await own(launch, password, log));
}

interface Owned {
  postmaster: Postmaster;
  session: Client;
  /** It ends with this process no longer. */
  release: () => void;
}

/** Finds or launches PostgreSQL until this process owns one. */
async function own(launch: Launch, password: string, log: DatabaseLog): Promise<Owned> {
  const deadline = Date.now() + RETRY_MS;
  for (;;) {
    const found = await findPostmaster(launch.folder, launch.logFile);
    const owned = found ? await takeOver(found, password, log) : await launchOwn(launch, password, log);
    if (typeof owned !== 'string') return owned;
    if (!found && !(TEMPORARY_FAILURE.test(owned) && Date.now() < deadline)) {
      throw new StartError(`PostgreSQL did not start; ${launch.logFile} ends with:\n${owned}`);
    }
    await delay(RETRY_DELAY_MS);
  }
}

/** Takes over a running PostgreSQL; returns its last words if it has ended. */
async function takeOver(postmaster: Postmaster, password: string, log: DatabaseLog): Promise<Owned | string> {
  const session = await takeOwnership(postmaster, password, log);
  if (!session) return postmaster.lastWords();
  log.info('took over a running PostgreSQL', { pid: postmaster.pid });
  return { postmaster, session, release: stopAtExit(postmaster) };
}

/** Launches PostgreSQL; returns its last words if it has ended. */
async function launchOwn(launch: Launch, password: string, log: DatabaseLog): Promise<Owned | string> {
  const postmaster = await launchPostmaster(launch);
  const release = stopAtExit(postmaster);
  try {
    const session = await takeOwnership(postmaster, password, log);
    if (session) return { postmaster, session, release };
  } catch (error) {
    // A process that started at the same moment may have taken it over: it is theirs then.
    if (!(error instanceof OwnedByAnotherError)) await stopPostmaster(postmaster);
    release();
    throw error;
  }
  release();
  return postmaster.lastWords();
}

interface Supervised {
  launch: Launch;
  password: string;
  log: DatabaseLog;
}

/** Restarts PostgreSQL and takes its lock again when it dies, as it does when its disk is full or memory is short. */
class Supervisor implements EmbeddedPostgres {
  readonly url: string;
  private owned: Owned;
  private restarting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly supervised: Supervised,
    owned: Owned,
  ) {
    this.url = urlOf(owned.postmaster, supervised.password);
    this.owned = this.watched(owned);
  }

  async stop(urgent = false): Promise<void> {
    this.stopping ??= this.end(urgent);
    if (urgent) await stopPostmaster(this.owned.postmaster, urgent);
    await this.stopping;
  }

  private async end(urgent: boolean): Promise<void> {
    await this.restarting;
    const { postmaster, session, release } = this.owned;
    // The lock is released last: a process that starts now must not take over a server that is about to end.
    const ended = await stopPostmaster(postmaster, urgent);
    if (ended) release();
    else this.supervised.log.error('embedded PostgreSQL does not stop', { pid: postmaster.pid });
    await session.end();
  }

  private watched(owned: Owned): Owned {
    const { postmaster, session } = owned;
    session.on('error', (error) => {
      if (this.stopping || this.restarting) return;
      this.supervised.log.error('lost the embedded PostgreSQL', {
        ...{ pid: postmaster.pid, reason: error.message },
      });
      owned.release();
      this.restarting = this.restart();
    });
    return owned;
  }

  /** Restarts it on the port in `url`, or waits where it recovers by itself, and takes the lock again. */
  private async restart(): Promise<void> {
    const { launch, password, log } = this.supervised;
    const { port } = this.owned.postmaster;
    while (!this.stopping) {
      try {
        this.owned = this.watched(await own({ ...launch, port }, password, log));
        this.restarting = undefined;
        return log.info('restarted the embedded PostgreSQL', { pid: this.owned.postmaster.pid });
      } catch (error) {
        log.error('failed to restart the embedded PostgreSQL', { reason: (error as Error).message });
        await delay(RESTART_DELAY_MS);
      }
    }
  }
}
