import { Injectable } from '@nestjs/common';
import { GroupCommit, LOCKED, shardOfKey } from '../common/group-commit.js';
import { CommitMetrics } from '../platform/database/commit-metrics.js';
import { isDataFault, isLockFault, toDatabaseError } from '../platform/database/errors.js';
import { SHARED_LOCK_TIMEOUT, type DedicatedConnection } from '../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../platform/database/dedicated-connections.js';
import { LIMITS } from '../protocol/index.js';

/** A member's read positions: everything up to them is delivered or read; 0 leaves a position unchanged. */
export interface Positions {
  userId: string;
  conversationId: string;
  deliveredSeq: number;
  readSeq: number;
}

/** A member's positions after an ack; null when the user is not a member. */
export type AckResult = (Positions & { moved: boolean }) | null;

interface AckRow {
  user_id: string;
  conversation_id: string;
  delivered_seq: string;
  read_seq: string;
  /** Null where another session holds the member's row. */
  moved: boolean | null;
}

const ACK = { name: 'ack_messages', text: 'select * from ack_messages($1, $2, $3, $4, $5)' };

/** Moves members' positions and deletes the deliveries they cover, by group commit. */
@Injectable()
export class AckStore {
  private readonly connection: DedicatedConnection;
  private readonly commits: GroupCommit<Positions, AckResult>;

  constructor(connections: DedicatedConnections, commits: CommitMetrics) {
    this.connection = connections.open('acks', { settings: SHARED_LOCK_TIMEOUT });
    this.commits = new GroupCommit({
      commit: (batch, _shard, skipLocked) => this.commit(batch, skipLocked),
      shardOf: ({ conversationId }) => shardOfKey(conversationId, 1),
      shards: 1,
      sizeOf: () => 256,
      isItemFault: isDataFault,
      locks: { keyOf, isLockFault },
      deadlineMs: LIMITS.requestTimeoutMs,
      observer: commits.of('acks'),
    });
  }

  /** @throws {DomainError} retryable, when the database is slow or away. A repeat is harmless. */
  async ack(positions: Positions): Promise<AckResult> {
    try {
      return await this.commits.submit(positions);
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  private async commit(
    batch: readonly Positions[],
    skipLocked: boolean,
  ): Promise<(AckResult | typeof LOCKED)[]> {
    const rows = await this.connection.query<AckRow>(ACK, [
      batch.map(({ userId }) => userId),
      batch.map(({ conversationId }) => conversationId),
      batch.map(({ deliveredSeq }) => deliveredSeq),
      batch.map(({ readSeq }) => readSeq),
      skipLocked,
    ]);
    const results = new Map<string, AckResult | typeof LOCKED>(
      rows.map((row) => [`${row.conversation_id} ${row.user_id}`, toResult(row)]),
    );
    return batch.map((positions) => results.get(keyOf(positions)) ?? null);
  }
}

function keyOf({ conversationId, userId }: Positions): string {
  return `${conversationId} ${userId}`;
}

function toResult(row: AckRow): AckResult | typeof LOCKED {
  if (row.moved === null) return LOCKED;
  return {
    userId: row.user_id,
    conversationId: row.conversation_id,
    deliveredSeq: Number(row.delivered_seq),
    readSeq: Number(row.read_seq),
    moved: row.moved,
  };
}
