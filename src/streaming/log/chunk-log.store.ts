import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GroupCommit, LOCKED, shardOfKey } from '../../common/group-commit.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { CommitMetrics } from '../../platform/database/commit-metrics.js';
import { isDataFault, isLockFault, toDatabaseError } from '../../platform/database/errors.js';
import {
  PINNED_PLANS,
  SHARED_LOCK_TIMEOUT,
  type DedicatedConnection,
} from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { LIMITS, type Chunk, type ChunkType } from '../../protocol/index.js';
import type { ChunkEntity } from './chunk.entity.js';
import { CHUNK_COLUMNS, toChunk, type PauseState } from './stream.rows.js';

/** Chunks to append to a stream's log, as the owner of `epoch`. Their sequences have no gaps. */
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
  /** Its time, where it was shown already; otherwise it gets the time of the append. */
  at?: Date;
}

/** Where a stream's log ends, and the state of the stream. */
export interface LogPosition extends PauseState {
  epoch: number;
  ended: boolean;
  lastSequence: number;
  lastChunkAt: Date;
}

const SHARDS = 2;
/** Chunks that one statement of {@link ChunkLogStore.expire} deletes, about. */
const EXPIRED_CHUNKS = 5000;

/**
 * Fence and append in one statement: only a running stream of this epoch whose log ends right before these chunks takes
 * them. A stream that is missing in the result was fenced.
 */
const APPEND = { name: 'append_chunks', text: appendText('', 'from g') };

/** As {@link APPEND}, without waiting for streams whose rows another session holds: they are `locked` in the result. */
const APPEND_FREE = {
  name: 'append_chunks_free',
  text: `${appendText(
    `free as materialized (
      select s.id from streams s where s.id in (select g.stream_id from g) order by s.id
      for no key update skip locked),`,
    'from g join free on free.id = g.stream_id',
  )}
    union all
    select s.id, null, true from streams s
    where s.id in (select g.stream_id from g) and s.id not in (select free.id from free)`,
};

function appendText(free: string, from: string): string {
  return `with t as materialized (
      select * from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::json[], $7::timestamptz[])
        t(stream_id, epoch, sequence, type, content, metadata, at)),
    g as (
      select stream_id, epoch, min(sequence) as first, max(sequence) as last, sum(octet_length(content)) as bytes
      from t group by 1, 2 order by 1),
    ${free}
    ok as (
      update streams s set last_sequence = g.last, last_chunk_at = clock_timestamp(),
        first_chunk_at = coalesce(s.first_chunk_at, clock_timestamp()), bytes = s.bytes + g.bytes,
        status = case when g.last > 0 then 'streaming' else s.status end
      ${from}
      where s.id = g.stream_id and s.epoch = g.epoch and s.status in ('starting', 'streaming')
        and s.last_sequence = g.first - 1
      returning s.id, s.last_chunk_at),
    stored as (
      insert into stream_chunks (stream_id, sequence, type, content, metadata, created_at)
      select t.stream_id, t.sequence, t.type, t.content, t.metadata, coalesce(t.at, ok.last_chunk_at)
      from t join ok on ok.id = t.stream_id)
    select id, last_chunk_at, false as locked from ok`;
}

/** Runs on the connection that appends to the same streams. Returns the streams whose rows another session holds. */
const RECORD_PROMPTS = {
  name: 'record_prompts',
  text: `with free as materialized (
      select s.id from streams s where s.id = any($1::uuid[]) order by s.id for no key update skip locked),
    recorded as (
      update streams s set prompt_bytes = t.bytes
      from unnest($1::uuid[], $2::int[]) t(id, bytes) join free on free.id = t.id where s.id = t.id)
    select s.id from streams s where s.id = any($1::uuid[]) and s.id not in (select free.id from free)`,
};

interface PromptSize {
  streamId: string;
  bytes: number;
}

/** The provider that answers a stream in place of the requested one. */
interface Fallback {
  id: string;
  epoch: number;
  provider: string;
  model: string;
}

/**
 * The log of chunks: appends, by group commit over all streams of this node, and reads.
 *
 * @example
 * const time = await log.append({ streamId, epoch, chunks: [{ sequence: 0, type: 'content', content: 'Hello' }] });
 * if (time === null) throw new FencedError('another node owns the stream');
 * const page = await log.read(streamId, 0);
 */
@Injectable()
export class ChunkLogStore {
  private readonly connections: DedicatedConnection[];
  private readonly commits: GroupCommit<AppendChunks, Date | null>;
  private readonly prompts: GroupCommit<PromptSize, undefined>;

  constructor(
    connections: DedicatedConnections,
    private readonly database: DataSource,
    @Inject(CONFIG) { STREAM_DURABILITY }: Config,
    commits: CommitMetrics,
  ) {
    // With `process`, what a viewer saw survives this process but not the machine: the commit need not wait for the disk.
    const commit = STREAM_DURABILITY === 'machine' ? 'on' : 'off';
    this.connections = Array.from({ length: SHARDS }, (_, index) =>
      connections.open(`chunks-${index}`, {
        settings: { synchronous_commit: commit, ...PINNED_PLANS, ...SHARED_LOCK_TIMEOUT },
      }),
    );
    this.commits = new GroupCommit({
      commit: (batch, shard, skipLocked) => this.commit(batch, shard, skipLocked),
      shardOf: (item) => shardOfKey(item.streamId, SHARDS),
      shards: SHARDS,
      sizeOf: (item) => item.chunks.reduce((sum, chunk) => sum + chunk.content.length * 3 + 256, 0),
      isItemFault: isDataFault,
      locks: { keyOf: ({ streamId }) => streamId, isLockFault },
      deadlineMs: LIMITS.requestTimeoutMs,
      observer: commits.of('chunks'),
    });
    this.prompts = new GroupCommit({
      commit: (batch, shard) => this.recordPrompts(batch, shard),
      shardOf: ({ streamId }) => shardOfKey(streamId, SHARDS),
      shards: SHARDS,
      sizeOf: () => 256,
      isItemFault: isDataFault,
      locks: { keyOf: ({ streamId }) => streamId, isLockFault },
      deadlineMs: LIMITS.requestTimeoutMs,
    });
  }

  /**
   * Resolves with the chunks' time once they are in the log, or with null when the fence refused them.
   * @throws {DomainError} retryable, when the database is slow or away: the chunks may then be stored or not.
   */
  async append(item: AppendChunks): Promise<Date | null> {
    try {
      return await this.commits.submit(item);
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  /** Records the prompt's size, from which usage is estimated where the provider does not report it. As durable as the chunks. */
  async recordPrompt(streamId: string, bytes: number): Promise<void> {
    await this.prompts.submit({ streamId, bytes });
  }

  /** Records who answers in place of the requested provider; false where the stream has ended or is no longer at `epoch`. */
  async setFallback({ id, epoch, provider, model }: Fallback): Promise<boolean> {
    const rows = await this.database
      .query<unknown[]>(
        `with updated as (
           update streams set provider = $3, model = $4, used_fallback = true
           where id = $1 and epoch = $2 and last_sequence = -1 and completed_at is null returning id)
         select id from updated`,
        [id, epoch, provider, model],
      )
      .catch((error: unknown) => Promise.reject(toDatabaseError(error)));
    return rows.length > 0;
  }

  /** Reads where a stream's log ends and who owns it; null where there is no such stream. */
  async position(streamId: string): Promise<LogPosition | null> {
    const rows = await this.database.query<LogPosition[]>(
      `select epoch, status = 'paused' as paused, control_version as version, completed_at is not null as ended,
         last_sequence as "lastSequence", last_chunk_at as "lastChunkAt" from streams where id = $1`,
      [streamId],
    );
    return rows[0] ?? null;
  }

  /** Reads all content of a stream so far: the answer is continued after it. */
  async text(streamId: string): Promise<string> {
    const [row] = await this.database.query<{ text: string }[]>(
      `select coalesce(string_agg(content, '' order by sequence), '') as text
       from stream_chunks where stream_id = $1 and type = 'content'`,
      [streamId],
    );
    return row?.text ?? '';
  }

  /** Reads chunks from `fromSequence` on: at most 500 or `maxBytes` (default 256 KiB), but at least one if there is one. */
  async read(streamId: string, fromSequence: number, maxBytes: number = LIMITS.pageBytes): Promise<Chunk[]> {
    const rows = await this.database.query<ChunkEntity[]>(
      `select ${CHUNK_COLUMNS}
       from (
         select p.*, sum(octet_length(p.content)) over (order by p.sequence) as bytes
         from (
           select * from stream_chunks where stream_id = $1 and sequence >= $2 order by sequence limit $3) p) c
       where c.sequence = $2 or c.bytes <= $4 order by c.sequence`,
      [streamId, fromSequence, LIMITS.pageChunks, maxBytes],
    );
    return rows.map(toChunk);
  }

  /**
   * Deletes the chunks of some streams that ended longer than `retentionMs` ago, and returns of how many. 0: none is left,
   * or another node is deleting.
   */
  async expire(retentionMs: number): Promise<number> {
    const [row] = await this.database.query<{ count: number }[]>('select expire_streams($1, $2) as count', [
      retentionMs,
      EXPIRED_CHUNKS,
    ]);
    return row?.count ?? 0;
  }

  private async recordPrompts(
    batch: readonly PromptSize[],
    shard: number,
  ): Promise<(undefined | typeof LOCKED)[]> {
    const values = [batch.map(({ streamId }) => streamId), batch.map(({ bytes }) => bytes)];
    const connection = this.connections[shard] as DedicatedConnection;
    const rows = await connection.query<{ id: string }>(RECORD_PROMPTS, values);
    const locked = new Set(rows.map(({ id }) => id));
    return batch.map(({ streamId }) => (locked.has(streamId) ? LOCKED : undefined));
  }

  private async commit(
    batch: readonly AppendChunks[],
    shard: number,
    skipLocked: boolean,
  ): Promise<(Date | null | typeof LOCKED)[]> {
    const rows = batch.flatMap(({ streamId, epoch, chunks }) =>
      chunks.map((chunk) => ({ streamId, epoch, ...chunk })),
    );
    const connection = this.connections[shard] as DedicatedConnection;
    const statement = skipLocked ? APPEND_FREE : APPEND;
    const stored = await connection.query<{ id: string; last_chunk_at: Date; locked: boolean }>(statement, [
      rows.map((row) => row.streamId),
      rows.map((row) => row.epoch),
      rows.map((row) => row.sequence),
      rows.map((row) => row.type),
      rows.map((row) => row.content),
      rows.map((row) => (row.metadata ? JSON.stringify(row.metadata) : null)),
      rows.map((row) => row.at ?? null),
    ]);
    const times = new Map<string, Date | typeof LOCKED>(
      stored.map((row) => [row.id, row.locked ? LOCKED : row.last_chunk_at]),
    );
    return batch.map((item) => times.get(item.streamId) ?? null);
  }
}
