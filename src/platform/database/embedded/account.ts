import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { StartError } from '../start-error.js';

const run = promisify(execFile);

/** The unprivileged user that runs PostgreSQL when this process is root: PostgreSQL refuses to run as root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Users that may run it. initdb needs a user with a name, so a free number is not enough. */
const CANDIDATES = ['postgres', 'nobody'];

/** Environment of PostgreSQL's programs. It contains nothing of ours, so that the caller's PG* variables have no effect. */
export const PLAIN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Returns the user who must run PostgreSQL. Undefined for an ordinary user, who runs it directly. For root: the owner
 * of `folder` or, if that is missing or root's, an existing unprivileged user.
 * @throws {StartError} if there is none.
 */
export async function accountFor(folder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(folder).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of CANDIDATES) {
    const account = await lookUp(name);
    if (account) return account;
  }
  throw new StartError(
    `PostgreSQL does not run as root, and this machine has no user ${CANDIDATES.join(' or ')}: start Streamgate as an ordinary user, or set DATABASE_URL.`,
  );
}

/** Whether `account` may enter `folder`. Asks the system, because modes alone do not show it. */
export async function mayEnter(folder: string, account: Account | undefined): Promise<boolean> {
  if (!account) return true;
  const entered = run('/bin/sh', ['-c', 'cd -- "$0"', folder], {
    ...account,
    cwd: '/',
    env: PLAIN_ENVIRONMENT,
  });
  return entered.then(
    () => true,
    () => false,
  );
}

async function lookUp(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined; // `id` exits with an error if there is no such user.
  }
}
