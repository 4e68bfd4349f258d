import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GroupCommit, shardOfKey } from '../../common/group-commit.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { CommitMetrics } from '../../platform/database/commit-metrics.js';
import { isDataFault, toDatabaseError } from '../../platform/database/errors.js';
import { PINNED_PLANS, type DedicatedConnection } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { LIMITS, type Chunk, type ChunkType } from '../../protocol/index.js';
import type { PauseState } from '../control/pause-gate.js';
import { toChunk, type ChunkRow } from './stream.rows.js';

/** Chunks to put behind the log's end, by the owner that `epoch` names. Their sequences have no holes. */
export interface AppendChunks {
  streamId: string;
  epoch: number;
  chunks: readonly LoggedDraft[];
}

export interface LoggedDraft {
  sequence: number;
  type: ChunkType;
  content: string;
  metadata?: Record<string, unknown>;
  /** Its time, where somebody knows it already; otherwise that of the append. */
  at?: Date;
}

export interface LogPosition extends PauseState {
  epoch: number;
  ended: boolean;
  lastSequence: number;
  lastChunkAt: Date;
}

const LANES = 2;

/**
 * Fence and append in one statement: only a stream that runs, of this epoch, whose log ends right before these chunks
 * takes them. A stream that is missing in the answer was fenced.
 */
const APPEND = {
  name: 'append_chunks',
  text: `with t as materialized (
      select * from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::json[], $7::timestamptz[])
        t(stream_id, epoch, sequence, type, content, metadata, at)),
    g as (
      select stream_id, epoch, min(sequence) as first, max(sequence) as last, sum(octet_length(content)) as bytes
      from t group by 1, 2 order by 1),
    ok as (
      update streams s set last_sequence = g.last, last_chunk_at = clock_timestamp(),
        first_chunk_at = coalesce(s.first_chunk_at, clock_timestamp()), bytes = s.bytes + g.bytes,
        status = case when g.last > 0 then 'streaming' else s.status end
      from g
      where s.id = g.stream_id and s.epoch = g.epoch and s.status in ('starting', 'streaming')
        and s.last_sequence = g.first - 1
      returning s.id, s.last_chunk_at),
    stored as (
      insert into stream_chunks (stream_id, sequence, type, content, metadata, created_at)
      select t.stream_id, t.sequence, t.type, t.content, t.metadata, coalesce(t.at, ok.last_chunk_at)
      from t join ok on ok.id = t.stream_id)
    select id, last_chunk_at from ok`,
};

/** Behind the appends of the same streams, on their connection: it never waits for their rows. */
const NOTE_PROMPTS = {
  name: 'note_prompts',
  text: `update streams s set prompt_bytes = t.bytes from unnest($1::uuid[], $2::int[]) t(id, bytes) where s.id = t.id`,
};

interface PromptSize {
  streamId: string;
  bytes: number;
}

/** The chunks' log: appends by group commit over all streams of this node, and reads. */
@Injectable()
export class ChunkLogStore {
  private readonly lanes: DedicatedConnection[];
  private readonly commits: GroupCommit<AppendChunks, Date | null>;
  private readonly notes: GroupCommit<PromptSize, void>;

  constructor(
    connections: DedicatedConnections,
    private readonly database: DataSource,
    @Inject(CONFIG) { STREAM_DURABILITY }: Config,
    commits: CommitMetrics,
  ) {
    // What a viewer saw must survive this process, not the machine: the commit need not wait for the disk.
    const commit = STREAM_DURABILITY === 'machine' ? 'on' : 'off';
    this.lanes = Array.from({ length: LANES }, (_, index) =>
      connections.open(`chunks-${index}`, { settings: { synchronous_commit: commit, ...PINNED_PLANS } }),
    );
    this.commits = new GroupCommit({
      commit: (batch, lane) => this.commit(batch, lane),
      shardOf: (item) => shardOfKey(item.streamId, LANES),
      shards: LANES,
      sizeOf: (item) => item.chunks.reduce((sum, chunk) => sum + chunk.content.length * 3 + 256, 0),
      isItemFault: isDataFault,
      deadlineMs: LIMITS.requestTimeoutMs,
      observer: commits.of('chunks'),
    });
    this.notes = new GroupCommit({
      commit: (batch, lane) => this.note(batch, lane),
      shardOf: ({ streamId }) => shardOfKey(streamId, LANES),
      shards: LANES,
      sizeOf: () => 256,
      isItemFault: isDataFault,
      deadlineMs: LIMITS.requestTimeoutMs,
    });
  }

  /**
   * Resolves with the chunks' time once they are in the log, or with null when the fence refused them.
   * @throws {DomainError} retryable, when the database is slow or away: whether they were stored is then unknown.
   */
  async append(item: AppendChunks): Promise<Date | null> {
    try {
      return await this.commits.submit(item);
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  /** Notes the prompt's size, from which usage is estimated where the provider does not count. As durable as the chunks. */
  notePrompt(streamId: string, bytes: number): Promise<void> {
    return this.notes.submit({ streamId, bytes });
  }

  /** Where a stream's log ends and whose it is; null where there is no such stream. */
  async position(streamId: string): Promise<LogPosition | null> {
    const rows = await this.database.query<LogPosition[]>(
      `select epoch, status = 'paused' as paused, control_version as version, completed_at is not null as ended,
         last_sequence as "lastSequence", last_chunk_at as "lastChunkAt" from streams where id = $1`,
      [streamId],
    );
    return rows[0] ?? null;
  }

  /** All content of a stream so far: what goes on behind it continues the answer. */
  async text(streamId: string): Promise<string> {
    const [row] = await this.database.query<{ text: string }[]>(
      `select coalesce(string_agg(content, '' order by sequence), '') as text
       from stream_chunks where stream_id = $1 and type = 'content'`,
      [streamId],
    );
    return row?.text ?? '';
  }

  /** Chunks from `fromSequence` on: at most 500 or `maxBytes` (256 KiB), but at least one where there is one. */
  async read(streamId: string, fromSequence: number, maxBytes: number = LIMITS.pageBytes): Promise<Chunk[]> {
    const rows = await this.database.query<ChunkRow[]>(
      `select p.stream_id, p.sequence, p.type, p.content, p.metadata, p.created_at
       from (
         select c.*, sum(octet_length(c.content)) over (order by c.sequence) as bytes
         from (
           select * from stream_chunks where stream_id = $1 and sequence >= $2 order by sequence limit $3) c) p
       where p.sequence = $2 or p.bytes <= $4 order by p.sequence`,
      [streamId, fromSequence, LIMITS.pageChunks, maxBytes],
    );
    return rows.map(toChunk);
  }

  private async note(batch: readonly PromptSize[], lane: number): Promise<void[]> {
    const values = [batch.map(({ streamId }) => streamId), batch.map(({ bytes }) => bytes)];
    await (this.lanes[lane] as DedicatedConnection).query(NOTE_PROMPTS, values);
    return batch.map(() => undefined);
  }

  private async commit(batch: readonly AppendChunks[], lane: number): Promise<(Date | null)[]> {
    const rows = batch.flatMap(({ streamId, epoch, chunks }) =>
      chunks.map((chunk) => ({ streamId, epoch, ...chunk })),
    );
    const connection = this.lanes[lane] as DedicatedConnection;
    const stored = await connection.query<{ id: string; last_chunk_at: Date }>(APPEND, [
      rows.map((row) => row.streamId),
      rows.map((row) => row.epoch),
      rows.map((row) => row.sequence),
      rows.map((row) => row.type),
      rows.map((row) => row.content),
      rows.map((row) => (row.metadata ? JSON.stringify(row.metadata) : null)),
      rows.map((row) => row.at ?? null),
    ]);
    const times = new Map(stored.map((row) => [row.id, row.last_chunk_at]));
    return batch.map((item) => times.get(item.streamId) ?? null);
  }
}
