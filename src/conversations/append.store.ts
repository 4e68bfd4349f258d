import { Inject, Injectable } from '@nestjs/common';
import { GroupCommit, shardOfKey, type GroupCommitObserver } from '../common/group-commit.js';
import { NodeIdentity } from '../common/ids.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { CommitMetrics } from '../platform/database/commit-metrics.js';
import { MetricsRegistry } from '../platform/metrics/registry.js';
import { isDataFault, toDatabaseError } from '../platform/database/errors.js';
import { DedicatedConnections } from '../platform/database/dedicated-connections.js';
import type { DedicatedConnection } from '../platform/database/dedicated-connection.js';
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
    const counter = registry.counter(
      'streamgate_messages_total',
      'Messages of people, and what became of them.',
      ['outcome'],
    );
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
  outcome: Outcome;
  seq: string;
  id: string;
  created_at: Date;
  member_version: string;
  stream_id: string | null;
}

const SHARDS = 2;

const APPEND = {
  name: 'append_messages',
  text: 'select * from append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
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
    this.connections = Array.from({ length: SHARDS }, (_, index) => connections.open(`append-${index}`));
    this.commits = new GroupCommit({
      commit: (batch, shard) => this.commit(batch, shard),
      shardOf: (item) => shardOfKey(item.conversationId, SHARDS),
      shards: SHARDS,
      sizeOf: (item) => item.content.length * 3 + 1024,
      isItemFault: isDataFault,
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

  private async commit(batch: readonly AppendItem[], shard: number): Promise<AppendResult[]> {
    const reserved = this.slots.reserve(batch.filter(({ answer }) => answer).length);
    let results: AppendResult[] = [];
    try {
      results = await this.write(batch, shard, reserved);
      return results;
    } finally {
      this.slots.settle(reserved, streamsCreatedBy(batch, results));
    }
  }

  private async write(
    batch: readonly AppendItem[],
    shard: number,
    streamsFree: number,
  ): Promise<AppendResult[]> {
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
    ]);
    // The order of rows is undefined.
    const results: AppendResult[] = [];
    for (const row of rows) results[row.n - 1] = toResult(row);
    this.metrics.record(results);
    return results;
  }
}

/** Returns the ids of the streams that a commit created. */
function streamsCreatedBy(batch: readonly AppendItem[], results: readonly AppendResult[]): string[] {
  return batch.flatMap(({ answer }, index) =>
    answer && results[index]?.outcome === 'stored' ? [answer.streamId] : [],
  );
}

function toResult(row: AppendRow): AppendResult {
  if (row.outcome === 'not_found' || row.outcome === 'too_many_streams') return { outcome: row.outcome };
  return {
    outcome: row.outcome,
    seq: Number(row.seq),
    id: row.id,
    createdAt: row.created_at,
    memberVersion: Number(row.member_version),
    streamId: row.stream_id,
  };
}
