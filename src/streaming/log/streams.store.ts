import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { toMessage } from '../../queue/message.rows.js';
import { PINNED_PLANS, type DedicatedConnection } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import type {
  CancelReason,
  Chunk,
  MemberRole,
  Message,
  ReplyTo,
  StreamStatus,
  TerminalChunkType,
  Usage,
  WireError,
} from '../../protocol/index.js';
import { ASSISTANT_ID } from '../../protocol/index.js';
import { STREAM_COLUMNS, toChunk, type StreamRow } from './stream.rows.js';

/** How a stream ends. Without `owner` it ends whoever owns it: that is cancelling. */
export interface Ending {
  streamId: string;
  /** The owner's epoch and the last sequence that it wrote: another state of the log refuses the end. */
  owner?: { epoch: number; lastSequence: number };
  /** Ends it only if nobody has paused or resumed it since this version of its pause. */
  pauseVersion?: number;
  type: TerminalChunkType;
  usage?: Usage | null;
  error?: WireError;
  reason?: CancelReason;
}

export type EndResult =
  | { outcome: 'not_found' }
  | { outcome: 'already' | 'fenced'; status: StreamStatus; lastSequence: number }
  | {
      outcome: 'ended';
      status: StreamStatus;
      lastSequence: number;
      conversationId: string;
      chunk: Chunk;
      /** Chunk 0, where the stream ended before its owner wrote it. */
      opening: Chunk | null;
      /** The assistant's message; null where there was no text. */
      message: { message: Message; memberVersion: number } | null;
    };

interface EndRow {
  outcome: EndResult['outcome'];
  status: StreamStatus;
  last_sequence: number;
  metadata: string;
  opening: string | null;
  ended_at: Date;
  conversation_id: string;
  message_id: string;
  seq: string | null;
  content: string;
  message_metadata: string;
  reply_to: string;
  member_version: string;
}

const STATUS_OF: Record<TerminalChunkType, StreamStatus> = {
  complete: 'completed',
  cancelled: 'cancelled',
  error: 'failed',
};

const END = { name: 'end_stream', text: 'select * from end_stream($1, $2, $3, $4, $5, $6, $7, $8, $9)' };

/** The streams' rows: reading them, and ending them. */
@Injectable()
export class StreamsStore {
  /** Ends are durable whatever the chunks are: they make the assistant's message. */
  private readonly ends: DedicatedConnection;

  constructor(
    connections: DedicatedConnections,
    private readonly database: DataSource,
  ) {
    this.ends = connections.open('stream-ends', { settings: PINNED_PLANS });
  }

  /** The stream and what `userId` is in its conversation (null: not a member); null where there is no such stream. */
  async findFor(
    streamId: string,
    userId: string,
  ): Promise<{ row: StreamRow; role: MemberRole | null } | null> {
    const rows = await this.database.query<(StreamRow & { role: MemberRole | null })[]>(
      `select ${STREAM_COLUMNS}, m.role from streams s
       left join members m on m.conversation_id = s.conversation_id and m.user_id = $2
       where s.id = $1`,
      [streamId, userId],
    );
    const row = rows[0];
    return row ? { row, role: row.role } : null;
  }

  /** Ends a stream once, whoever else tries at the same time (P5). @throws {DomainError} retryable, when the database is away. */
  async end(ending: Ending): Promise<EndResult> {
    const { streamId, owner, type, usage, error, reason, pauseVersion } = ending;
    const values = [
      streamId,
      owner?.epoch ?? null,
      owner?.lastSequence ?? null,
      type,
      STATUS_OF[type],
      usage ? JSON.stringify(usage) : null,
      error ? JSON.stringify(error) : null,
      reason ?? null,
      pauseVersion ?? null,
    ];
    const [row] = await this.ends.query<EndRow>(END, values).catch((fault: unknown) => {
      throw toDatabaseError(fault);
    });
    return toEndResult(ending, row as EndRow);
  }

  /** How a stream ended, as {@link end} told it to whoever ended it; null where it has not, or the conversation is gone. */
  async ended(streamId: string): Promise<Extract<EndResult, { outcome: 'ended' }> | null> {
    const [row] = await this.database.query<(EndRow & { type: TerminalChunkType })[]>(
      `select 'ended' as outcome, s.status, s.last_sequence, k.type, k.metadata::text as metadata, null as opening,
         s.completed_at as ended_at, s.conversation_id, s.message_id, m.seq, m.content,
         m.metadata::text as message_metadata, s.reply_to::text as reply_to, c.member_version
       from streams s
       join conversations c on c.id = s.conversation_id
       join stream_chunks k on k.stream_id = s.id and k.sequence = s.last_sequence
       left join messages m on m.conversation_id = s.conversation_id and m.seq = (k.metadata->>'seq')::bigint
       where s.id = $1 and s.completed_at is not null`,
      [streamId],
    );
    const result = row && toEndResult({ streamId, type: row.type }, row);
    return result?.outcome === 'ended' ? result : null;
  }
}

function toEndResult({ streamId, type }: Ending, row: EndRow): EndResult {
  if (row.outcome === 'not_found') return { outcome: 'not_found' };
  const { outcome, status, last_sequence: lastSequence, conversation_id: conversationId } = row;
  if (outcome !== 'ended') return { outcome, status, lastSequence };
  const common = { stream_id: streamId, content: '', created_at: row.ended_at };
  const chunk = toChunk({ ...common, sequence: lastSequence, type, metadata: parse(row.metadata) });
  const opening =
    row.opening === null
      ? null
      : toChunk({ ...common, sequence: 0, type: 'metadata', metadata: parse(row.opening) });
  return { outcome, status, lastSequence, conversationId, chunk, opening, message: toAnswer(streamId, row) };
}

function parse(json: string): Record<string, unknown> {
  return JSON.parse(json) as Record<string, unknown>;
}

function toAnswer(streamId: string, row: EndRow): { message: Message; memberVersion: number } | null {
  if (row.seq === null) return null;
  const message = toMessage({
    id: row.message_id,
    conversation_id: row.conversation_id,
    seq: row.seq,
    sender_id: ASSISTANT_ID,
    role: 'assistant',
    client_message_id: `stream:${streamId}`,
    content: row.content,
    metadata: parse(row.message_metadata),
    stream_id: streamId,
    reply_to: JSON.parse(row.reply_to) as ReplyTo,
    created_at: row.ended_at,
  });
  return { message, memberVersion: Number(row.member_version) };
}
