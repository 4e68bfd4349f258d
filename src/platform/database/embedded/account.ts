import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { StartError } from '../start-error.js';

const run = promisify(execFile);

/** The unprivileged user that PostgreSQL runs as when we are root, which PostgreSQL refuses to be. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Whose processes may be had for the purpose; initdb wants a user with a name, so a free number is not enough. */
const CANDIDATES = ['postgres', 'nobody'];

/** Environment of PostgreSQL's programs: nothing of ours, so that no PG* variable of the caller changes what they do. */
export const PLAIN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Who has to run PostgreSQL: undefined where we are an ordinary user and run it ourselves; as root the owner of
 * `folder`, or, where that is missing or root's, an existing unprivileged user.
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

/** Whether `account` may enter `folder`: asked of the system itself, since modes alone do not tell. */
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
    return undefined; // `id` says by its exit code that there is no such user.
  }
}
