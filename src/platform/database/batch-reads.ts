import { GroupCommit } from '../../common/group-commit.js';
import { LIMITS } from '../../protocol/index.js';
import { isDataFault, toDatabaseError } from './errors.js';

export interface BatchReadsOptions<Item, Result> {
  /** Reads a batch in one statement and answers in the batch's order. */
  read: (batch: readonly Item[]) => Promise<readonly Result[]>;
  /** Statements that may be under way at once; default 1. */
  atOnce?: number;
  /** What the answer to one item may hold in memory, about: a batch holds no more than a megabyte of that. */
  resultBytes: number;
  /** How long to gather after an answer, in milliseconds, where one statement for many spares more than they lose by waiting. */
  restMs?: (results: readonly Result[]) => number;
}

/**
 * A read that is gathered as writes are by a group commit: what is asked while a statement is under way is the next one.
 * A lone read waits for nothing, and a thousand at once are some dozens of statements.
 * @returns the read of one item, which throws a retryable {DomainError} when the database is slow or away.
 */
export function batchReads<Item, Result>({
  read,
  atOnce = 1,
  resultBytes,
  restMs,
}: BatchReadsOptions<Item, Result>): (item: Item) => Promise<Result> {
  let asked = 0;
  const reads = new GroupCommit<Item, Result>({
    commit: read,
    shardOf: () => (asked += 1) % atOnce,
    shards: atOnce,
    sizeOf: () => resultBytes,
    isItemFault: isDataFault,
    deadlineMs: LIMITS.requestTimeoutMs,
    ...(restMs && { restMs }),
  });
  return (item) =>
    reads.submit(item).catch((error: unknown) => {
      throw toDatabaseError(error);
    });
}
