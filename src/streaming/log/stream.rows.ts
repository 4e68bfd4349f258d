import { columnsOf, selectList } from '../../platform/database/columns.js';
import type { Chunk, StreamState } from '../../protocol/index.js';
import type { PromptMessage } from '../../providers/provider.js';
import { ChunkEntity } from './chunk.entity.js';
import { StreamEntity } from './stream.entity.js';

/** Columns that only SQL reads. */
const UNREAD = ['pausedAt', 'pausedMs', 'promptBytes'] as const;

/** A stream as queries return it: the entity's properties, without those that only SQL reads. */
export type StreamRow = Omit<StreamEntity, (typeof UNREAD)[number]>;

/** A stream that this node owns. */
export interface OwnedStream extends StreamRow {
  /** How long it has run, without its pauses, in milliseconds by the database's clock. */
  livedMs: number;
  /** The prompt for the provider, where it was read together with the stream. */
  prompt?: readonly PromptMessage[];
}

/** Whether a stream is paused, as the database has it; `version` counts pauses and resumes. */
export interface PauseState {
  paused: boolean;
  version: number;
}

/** A running stream of this node, as the database has it. */
export interface OwnStream extends PauseState {
  id: string;
  epoch: number;
}

const STREAM = columnsOf(StreamEntity, UNREAD);

/** Select list of a {@link StreamRow}, of a table or alias named `s`. A new column of the entity is in it. */
export const STREAM_COLUMNS = selectList('s', STREAM);

/** Select list of an {@link OwnedStream}, of a table or alias named `s`. */
export const OWNED_COLUMNS = `${STREAM_COLUMNS},
  (extract(epoch from coalesce(s.paused_at, clock_timestamp()) - s.started_at) * 1000)::float8 - s.paused_ms as "livedMs"`;

/** Select list of a chunk, of a table or alias named `c`. */
export const CHUNK_COLUMNS = selectList('c', columnsOf(ChunkEntity));

/** A stream's row that came as JSON, with the table's names and ISO text for times. */
export function streamFromJson(json: Readonly<Record<string, unknown>>): StreamRow {
  const entries = STREAM.map(({ property, column, isTime }) => {
    const value = json[column];
    return [property, isTime && typeof value === 'string' ? new Date(value) : value];
  });
  return Object.fromEntries(entries) as StreamRow;
}

/** The status object of protocol section 5. */
export function toState(row: StreamRow): StreamState {
  const {
    id: streamId,
    conversationId,
    messageId,
    replyTo,
    userId,
    status,
    provider,
    model,
    transport,
  } = row;
  const { lastSequence, usage, interruptions, recoveries, ownerNode, epoch, error } = row;
  return {
    ...{ streamId, conversationId, messageId, replyTo, userId, status, provider, model, transport },
    startedAt: row.startedAt.toISOString(),
    firstChunkAt: row.firstChunkAt?.toISOString() ?? null,
    lastChunkAt: row.lastChunkAt?.toISOString() ?? null,
    completedAt: row.completedAt?.toISOString() ?? null,
    ...{ lastSequence, chunks: lastSequence + 1, bytes: Number(row.bytes) },
    ...{ usage, interruptions, recoveries, ownerNode, epoch, error },
  };
}

/** Converts a chunk to its wire form. Used for every transport, live and replayed, so that the JSON is byte-equal (P4). */
export function toChunk({ streamId, sequence, type, content, metadata, createdAt }: ChunkEntity): Chunk {
  return {
    streamId,
    sequence,
    type,
    content,
    ...(metadata !== null && { metadata }),
    timestamp: createdAt.toISOString(),
  };
}
