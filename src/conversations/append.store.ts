import { Inject, Injectable } from '@nestjs/common';
import { GroupCommit, LOCKED, shardOfKey, type GroupCommitObserver } from '../common/group-commit.js';
import { NodeIdentity } from '../common/ids.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { CommitMetrics } from '../platform/database/commit-metrics.js';
import { MetricsRegistry } from '../platform/metrics/registry.js';
import { isDataFault, isLockFault, toDatabaseError } from '../platform/database/errors.js';
import { DedicatedConnections } from '../platform/database/dedicated-connections.js';
import { SHARED_LOCK_TIMEOUT, type DedicatedConnection } from '../platform/database/dedicated-connection.js';
import { LIMITS, type StreamTransport } from '../protocol/index.js';
import { StreamSlots } from './stream-slots.js';

/** The answer that a message asks for. Its stream is created in the message's commit (P2). */
export interface AnswerRequest {
  streamId: string;
  messageId: string;
  provider: string;
  model: string;
  transport: StreamTransport;
  options: Record<string, unknown>;
}

/** A message to append. A duplicate keeps the `id` of the first. */
export interface AppendItem {
  conversationId: string;
  senderId: string;
  clientMessageId: string;
  id: string;
  content: string;
  metadata: Record<string, unknown>;
  answer?: AnswerRequest;
}

export type AppendResult =
  | { outcome: 'not_found' }
  | { outcome: 'too_many_streams' }
  | {
      outcome: 'stored' | 'duplicate';
      seq: number;
      id: string;
      createdAt: Date;
      /** The conversation's membership version at this commit; for a duplicate, the current one. */
      memberVersion: number;
      streamId: string | null;
    };

type Outcome = AppendResult['outcome'];

/** Counts users' messages by outcome. */
@Injectable()
export class MessageMetrics {
  readonly commits: GroupCommitObserver;
  private readonly outcomes: Record<Outcome, { inc: (count: number) => void }>;

  constructor(registry: MetricsRegistry, commits: CommitMetrics) {
    this.commits = commits.of('messages');
    const counter = registry.counter('streamgate_messages_total', 'Messages sent by users, by outcome.', [
      'outcome',
    ]);
    this.outcomes = {
      stored: counter.labels('stored'),
      duplicate: counter.labels('duplicate'),
      not_found: counter.labels('not_found'),
      too_many_streams: counter.labels('too_many_streams'),
    };
  }

  /** Counts the results of one commit. */
  record(results: readonly { outcome: Outcome }[]): void {
    const counts = { stored: 0, duplicate: 0, not_found: 0, too_many_streams: 0 };
    for (const { outcome } of results) counts[outcome] += 1;
    for (const [outcome, count] of Object.entries(counts)) {
      if (count > 0) this.outcomes[outcome as Outcome].inc(count);
    }
  }
}

interface AppendRow {
  n: number;
  outcome: Outcome | 'locked';
  seq: string;
  id: string;
  created_at: Date;
  member_version: string;
  stream_id: string | null;
}

/** The result of an item, or that its conversation is locked by another session. */
type AppendStep = AppendResult | typeof LOCKED;

interface AppendBatch {
  batch: readonly AppendItem[];
  shard: number;
  skipLocked: boolean;
  streamsFree: number;
}

const SHARDS = 2;

const APPEND = {
  name: 'append_messages',
  text: 'select * from append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
};

/** Appends messages by group commit on dedicated connections, sharded by conversation. */
@Injectable()
export class AppendStore {
  private readonly connections: DedicatedConnection[];
  private readonly commits: GroupCommit<AppendItem, AppendResult>;

  constructor(
    connections: DedicatedConnections,
    private readonly node: NodeIdentity,
    private readonly slots: StreamSlots,
    @Inject(CONFIG) private readonly config: Config,
    private readonly metrics: MessageMetrics,
  ) {
    this.connections = Array.from({ length: SHARDS }, (_, index) =>
      connections.open(`append-${index}`, { settings: SHARED_LOCK_TIMEOUT }),
    );
    this.commits = new GroupCommit({
      commit: (batch, shard, skipLocked) => this.commit(batch, shard, skipLocked),
      shardOf: (item) => shardOfKey(item.conversationId, SHARDS),
      shards: SHARDS,
      sizeOf: (item) => item.content.length * 3 + 1024,
      isItemFault: isDataFault,
      locks: { keyOf: ({ conversationId }) => conversationId, isLockFault },
      deadlineMs: LIMITS.requestTimeoutMs,
      observer: metrics.commits,
    });
  }

  /**
   * Resolves after the commit. Idempotent.
   * @throws {DomainError} `timeout` when the database is slow or away, `overloaded` when too much is waiting; retryable.
   */
  async append(item: AppendItem): Promise<AppendResult> {
    try {
      return await this.commits.submit(item);
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  private async commit(
    batch: readonly AppendItem[],
    shard: number,
    skipLocked: boolean,
  ): Promise<AppendStep[]> {
    const reserved = this.slots.reserve(batch.filter(({ answer }) => answer).length);
    let results: AppendStep[] = [];
    try {
      results = await this.write({ batch, shard, skipLocked, streamsFree: reserved });
      return results;
    } finally {
      this.slots.settle(reserved, streamsCreatedBy(batch, results));
    }
  }

  private async write({ batch, shard, skipLocked, streamsFree }: AppendBatch): Promise<AppendStep[]> {
    const connection = this.connections[shard] as DedicatedConnection;
    const rows = await connection.query<AppendRow>(APPEND, [
      batch.map((item) => item.conversationId),
      batch.map((item) => item.senderId),
      batch.map((item) => item.clientMessageId),
      batch.map((item) => item.id),
      batch.map((item) => item.content),
      batch.map((item) => JSON.stringify(item.metadata)),
      batch.map((item) => (item.answer ? JSON.stringify(item.answer) : null)),
      this.node.id,
      this.config.STREAM_MAX_PER_USER,
      streamsFree,
      skipLocked,
    ]);
    // The order of rows is undefined.
    const results: AppendStep[] = [];
    for (const row of rows) results[row.n - 1] = toStep(row);
    this.metrics.record(results.filter((result) => result !== LOCKED));
    return results;
  }
}

/** Returns the ids of the streams that a commit created. */
function streamsCreatedBy(batch: readonly AppendItem[], results: readonly AppendStep[]): string[] {
  return batch.flatMap(({ answer }, index) => {
    const result = results[index];
    return answer && result && result !== LOCKED && result.outcome === 'stored' ? [answer.streamId] : [];
  });
}

function toStep(row: AppendRow): AppendStep {
  const { outcome } = row;
  if (outcome === 'locked') return LOCKED;
  if (outcome === 'not_found' || outcome === 'too_many_streams') return { outcome };
  return {
    outcome,
    seq: Number(row.seq),
    id: row.id,
    createdAt: row.created_at,
    memberVersion: Number(row.member_version),
    streamId: row.stream_id,
  };
}
