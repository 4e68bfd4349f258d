import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { toMessage } from '../queue/message.rows.js';
import type { Lane } from '../database/lane.js';
import { Lanes } from '../database/lanes.js';
import { toDatabaseError } from '../database/errors.js';
import type {
  ActiveStream,
  CancelReason,
  Chunk,
  MemberRole,
  Message,
  ReplyTo,
  StreamStatus,
  TerminalChunkType,
  Usage,
  WireError,
} from '../protocol/index.js';
import { ASSISTANT_ID } from '../protocol/index.js';
import { STREAM_COLUMNS, toChunk, toState, type StreamRow } from './stream.rows.js';

/** How a stream ends. Without `owner` it ends whoever owns it: that is cancelling. */
export interface Ending {
  streamId: string;
  /** The owner's epoch and the last sequence that it wrote: another state of the log refuses the end. */
  owner?: { epoch: number; lastSequence: number };
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
      /** The assistant's message; null where there was no text. */
      message: { message: Message; memberVersion: number } | null;
    };

interface EndRow {
  outcome: EndResult['outcome'];
  status: StreamStatus;
  last_sequence: number;
  metadata: string;
  ended_at: Date;
  conversation_id: string;
  message_id: string;
  seq: string | null;
  content: string;
  message_metadata: string;
  reply_to: string;
  member_version: number;
}

const STATUS_OF: Record<TerminalChunkType, StreamStatus> = {
  complete: 'completed',
  cancelled: 'cancelled',
  error: 'failed',
};

const END = { name: 'end_stream', text: 'select * from end_stream($1, $2, $3, $4, $5, $6, $7, $8)' };

/** The streams' rows: reading them, and ending them. */
@Injectable()
export class StreamsStore {
  /** Ends are durable whatever the chunks are: they make the assistant's message. */
  private readonly ends: Lane;

  constructor(
    lanes: Lanes,
    private readonly database: DataSource,
  ) {
    this.ends = lanes.open('stream-ends');
  }

  async find(streamId: string): Promise<StreamRow | null> {
    const rows = await this.database.query<StreamRow[]>(
      `select ${STREAM_COLUMNS} from streams s where s.id = $1`,
      [streamId],
    );
    return rows[0] ?? null;
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

  /** The visible running streams of a conversation, each with all its text so far. */
  async active(conversationId: string): Promise<ActiveStream[]> {
    const rows = await this.database.query<(StreamRow & { text: string | null })[]>(
      `select ${STREAM_COLUMNS}, (
         select string_agg(c.content, '' order by c.sequence) from stream_chunks c
         where c.stream_id = s.id and c.type = 'content' and c.sequence <= s.last_sequence) as text
       from streams s
       where s.conversation_id = $1 and s.completed_at is null and (s.options->>'visible')::boolean
       order by s.started_at, s.id`,
      [conversationId],
    );
    return rows.map((row) => ({
      ...toState(row),
      snapshot: { text: row.text ?? '', sequence: row.last_sequence },
    }));
  }

  /** Notes the prompt's size, from which usage is estimated where the provider does not count. */
  async setPromptBytes(streamId: string, bytes: number): Promise<void> {
    await this.database.query('update streams set prompt_bytes = $2 where id = $1', [streamId, bytes]);
  }

  /** Ends a stream once, whoever else tries at the same time (P5). @throws {DomainError} retryable, when the database is away. */
  async end(ending: Ending): Promise<EndResult> {
    const { streamId, owner, type, usage, error, reason } = ending;
    const values = [
      streamId,
      owner?.epoch ?? null,
      owner?.lastSequence ?? null,
      type,
      STATUS_OF[type],
      usage ? JSON.stringify(usage) : null,
      error ? JSON.stringify(error) : null,
      reason ?? null,
    ];
    const [row] = await this.ends.query<EndRow>(END, values).catch((fault: unknown) => {
      throw toDatabaseError(fault);
    });
    return toEndResult(ending, row as EndRow);
  }
}

function toEndResult({ streamId, type }: Ending, row: EndRow): EndResult {
  if (row.outcome === 'not_found') return { outcome: 'not_found' };
  const { outcome, status, last_sequence: lastSequence, conversation_id: conversationId } = row;
  if (outcome !== 'ended') return { outcome, status, lastSequence };
  const metadata = JSON.parse(row.metadata) as Record<string, unknown>;
  const ended = { stream_id: streamId, sequence: lastSequence, type, content: '', created_at: row.ended_at };
  const chunk = toChunk({ ...ended, metadata });
  return { outcome, status, lastSequence, conversationId, chunk, message: toAnswer(streamId, row) };
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
    metadata: JSON.parse(row.message_metadata) as Record<string, unknown>,
    stream_id: streamId,
    reply_to: JSON.parse(row.reply_to) as ReplyTo,
    created_at: row.ended_at,
  });
  return { message, memberVersion: row.member_version };
}
