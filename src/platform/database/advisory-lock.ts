import type { DataSource } from 'typeorm';

/**
 * Runs `work` unless another node is running it. The lock is PostgreSQL's, held by a session of its own, and ends with that
 * session even if the process crashes.
 * @param lock a number that nothing else uses.
 * @returns whether this node ran it.
 */
export async function withAdvisoryLock(
  dataSource: DataSource,
  lock: number,
  work: () => Promise<void>,
): Promise<boolean> {
  const session = dataSource.createQueryRunner();
  try {
    const rows = (await session.query('select pg_try_advisory_lock($1) as mine', [lock])) as {
      mine: boolean;
    }[];
    if (!rows[0]?.mine) return false;
    try {
      await work();
      return true;
    } finally {
      await session.query('select pg_advisory_unlock($1)', [lock]);
    }
  } finally {
    await session.release();
  }
}
