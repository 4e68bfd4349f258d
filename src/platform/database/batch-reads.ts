import { GroupCommit } from '../../common/group-commit.js';
import { LIMITS } from '../../protocol/index.js';
import { isDataFault, toDatabaseError } from './errors.js';

export interface BatchReadsOptions<Item, Result> {
  /** Reads a batch in one statement and returns the results in the batch's order. */
  read: (batch: readonly Item[]) => Promise<readonly Result[]>;
  /** The most statements at once; default 1. */
  concurrency?: number;
  /** About how much memory one result may take, in bytes: the results of a batch take at most a megabyte. */
  resultBytes: number;
  /** How long to wait after a batch before the next, in milliseconds, where a larger batch saves more than the wait costs. */
  restMs?: (results: readonly Result[]) => number;
}

/**
 * Makes a read of one item from a read of many: the items that are requested while a statement is running become the next
 * batch. A lone read does not wait, and a thousand reads at once take a few dozen statements.
 * @returns the read of one item. It throws a retryable {DomainError}: `timeout` when the database is slow or away,
 * `overloaded` when too many reads are waiting.
 * @example
 * const read = batchReads({ read: (ids: readonly string[]) => store.readTitles(ids), resultBytes: 1024 });
 * const title = await read('conversation-1');
 */
export function batchReads<Item, Result>({
  read,
  concurrency = 1,
  resultBytes,
  restMs,
}: BatchReadsOptions<Item, Result>): (item: Item) => Promise<Result> {
  let count = 0;
  const reads = new GroupCommit<Item, Result>({
    commit: read,
    shardOf: () => (count += 1) % concurrency,
    shards: concurrency,
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
