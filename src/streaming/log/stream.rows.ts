import type { ContextIds } from '../../platform/tracing/request-context.js';
import type { PromptMessage } from '../../providers/provider.js';
import type {
  Chunk,
  ChunkType,
  ReplyTo,
  StreamState,
  StreamStatus,
  StreamTransport,
  Usage,
  WireError,
} from '../../protocol/index.js';

/** How an answer was asked for: kept with the stream, so that another node can go on with it. */
export interface StreamOptions {
  includeContext: boolean;
  /** False: none of `stream:*` is shown, only the message at the end. */
  visible: boolean;
  chunkBytes: number;
  chunkDelayMs: number;
  /** The event or request that asked: whoever produces the answer does it under this name. */
  work?: ContextIds;
}

export interface StreamRow {
  id: string;
  conversation_id: string;
  message_id: string;
  reply_to: ReplyTo;
  user_id: string;
  status: StreamStatus;
  provider: string;
  model: string;
  /** Whether `provider` answers in place of whom it was asked of. */
  used_fallback: boolean;
  transport: StreamTransport;
  options: StreamOptions;
  owner_node: string | null;
  epoch: number;
  control_version: number;
  last_sequence: number;
  bytes: string;
  usage: Usage | null;
  error: WireError | null;
  interruptions: number;
  recoveries: number;
  started_at: Date;
  first_chunk_at: Date | null;
  last_chunk_at: Date | null;
  completed_at: Date | null;
  /** Whether its chunks are no longer kept. */
  expired: boolean;
}

/** A stream that this node owns. */
export interface OwnedStream extends StreamRow {
  /** How long it has lived, without its pauses, in milliseconds by the database's clock. */
  lived_ms: number;
  /** What the provider is to be asked, where it was read along with the stream. */
  prompt?: readonly PromptMessage[];
}

/** The columns of a {@link StreamRow}, of a table or alias named `s`. */
export const STREAM_COLUMNS = `s.id, s.conversation_id, s.message_id, s.reply_to, s.user_id, s.status, s.provider,
  s.model, s.used_fallback, s.transport, s.options, s.owner_node, s.epoch, s.control_version, s.last_sequence, s.bytes, s.usage,
  s.error, s.interruptions, s.recoveries, s.started_at, s.first_chunk_at, s.last_chunk_at, s.completed_at, s.expired`;

/** The columns of an {@link OwnedStream}. */
export const OWNED_COLUMNS = `${STREAM_COLUMNS},
  (extract(epoch from coalesce(s.paused_at, clock_timestamp()) - s.started_at) * 1000)::float8 - s.paused_ms as lived_ms`;

/** The status object of protocol section 5. */
export function toState(row: StreamRow): StreamState {
  return {
    streamId: row.id,
    conversationId: row.conversation_id,
    messageId: row.message_id,
    replyTo: row.reply_to,
    userId: row.user_id,
    status: row.status,
    provider: row.provider,
    model: row.model,
    transport: row.transport,
    startedAt: row.started_at.toISOString(),
    firstChunkAt: row.first_chunk_at?.toISOString() ?? null,
    lastChunkAt: row.last_chunk_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    lastSequence: row.last_sequence,
    chunks: row.last_sequence + 1,
    bytes: Number(row.bytes),
    usage: row.usage,
    interruptions: row.interruptions,
    recoveries: row.recoveries,
    ownerNode: row.owner_node,
    epoch: row.epoch,
    error: row.error,
  };
}

export interface ChunkRow {
  stream_id: string;
  sequence: number;
  type: ChunkType;
  content: string;
  metadata: Record<string, unknown> | null;
  created_at: Date;
}

/** The one way in which a chunk becomes JSON: byte-equal on every transport, live and replayed (P4). */
export function toChunk(row: ChunkRow): Chunk {
  return {
    streamId: row.stream_id,
    sequence: row.sequence,
    type: row.type,
    content: row.content,
    ...(row.metadata !== null && { metadata: row.metadata }),
    timestamp: row.created_at.toISOString(),
  };
}
