import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { toCursorPage, type CursorPage } from '../../common/cursor-page.js';
import { toMessage } from '../../queue/message.rows.js';
import {
  PINNED_PLANS,
  SHARED_LOCK_TIMEOUT,
  type DedicatedConnection,
  type Statement,
} from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import { retryWhileLocked } from '../../platform/database/locked-rows.js';
import type {
  CancelReason,
  Chunk,
  MemberRole,
  Message,
  ReplyTo,
  StreamState,
  StreamStatus,
  TerminalChunkType,
  Usage,
  WireError,
} from '../../protocol/index.js';
import { ASSISTANT_ID } from '../../protocol/index.js';
import { STREAM_COLUMNS, toChunk, toState, type StreamRow } from './stream.rows.js';

/** How a stream ends. Without `owner` it ends whoever owns it: that is cancelling. */
export interface Ending {
  streamId: string;
  /** The owner's epoch and the last sequence that it wrote: where the log differs, the end is refused. */
  owner?: { epoch: number; lastSequence: number };
  /** Ends it only if nobody has paused or resumed it since this version of its pause. */
  pauseVersion?: number;
  type: TerminalChunkType;
  usage?: Usage | null;
  error?: WireError;
  reason?: CancelReason;
  /** Why a complete answer ended other than by its natural end, such as `length`. */
  finishReason?: string;
}

/** A stream that has ended, with what its viewers get. */
export interface EndedStream {
  outcome: 'ended';
  status: StreamStatus;
  lastSequence: number;
  conversationId: string;
  chunk: Chunk;
  /** Chunk 0, where the stream ended before its owner wrote it. */
  opening: Chunk | null;
  /** The assistant's message; null where there was no text. */
  message: { message: Message; memberVersion: number } | null;
}

export type EndResult =
  | { outcome: 'not_found' }
  | { outcome: 'already' | 'fenced'; status: StreamStatus; lastSequence: number }
  | EndedStream;

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

/** The result of a pause, resume or release. */
export interface Controlled {
  /** Whether this call changed the stream. */
  changed: boolean;
  status: StreamStatus;
  lastSequence: number;
  /** Counts pauses and resumes. */
  version: number;
}

const STATUS_OF: Record<TerminalChunkType, StreamStatus> = {
  complete: 'completed',
  cancelled: 'cancelled',
  error: 'failed',
};

/** How long an end waits for its conversation, in milliseconds: those of all answers take turns on one connection. */
const END_LOCK_TIMEOUT_MS = 20;

const CONTROLLED = `changed, status, last_sequence as "lastSequence", control_version as version`;
const PAUSE: Statement = { name: 'pause_stream', text: `select ${CONTROLLED} from pause_stream($1)` };
const RESUME: Statement = { name: 'resume_stream', text: `select ${CONTROLLED} from resume_stream($1)` };
const END: Statement = {
  name: 'end_stream',
  text: 'select * from end_stream($1, $2, $3, $4, $5, $6, $7, $8, $9)',
};

/** Gives up a stream of this epoch: any node may claim it at once. Not where it has ended. */
const RELEASE: Statement = {
  name: 'release_stream',
  text: `update streams s set owner_node = null, epoch = s.epoch + 1, interruptions = s.interruptions + 1,
      status = case s.status when 'paused' then 'paused' else 'interrupted' end
    where s.id = $1 and s.epoch = $2 and s.completed_at is null
    returning true as changed, s.status, s.last_sequence as "lastSequence", s.control_version as version`,
};

/** The rows of streams: reads, and the changes of their state, each one statement so that all writers see it at once. */
@Injectable()
export class StreamsStore {
  private readonly controls: DedicatedConnection;
  /** Ends are always durable, whatever the chunks are: they create the assistant's message. */
  private readonly ends: DedicatedConnection;

  constructor(
    connections: DedicatedConnections,
    private readonly database: DataSource,
  ) {
    this.controls = connections.open('stream-controls', { settings: SHARED_LOCK_TIMEOUT });
    this.ends = connections.open('stream-ends', {
      settings: { ...PINNED_PLANS, lock_timeout: END_LOCK_TIMEOUT_MS },
    });
  }

  /** Reads the stream and the role of `userId` in its conversation (null: not a member); null where there is no such stream. */
  async findFor(
    streamId: string,
    userId: string,
  ): Promise<{ row: StreamRow; role: MemberRole | null } | null> {
    const [row] = await this.database.query<(StreamRow & { role: MemberRole | null })[]>(
      `select ${STREAM_COLUMNS}, m.role from streams s
       left join members m on m.conversation_id = s.conversation_id and m.user_id = $2
       where s.id = $1`,
      [streamId, userId],
    );
    return row ? { row, role: row.role } : null;
  }

  /** Reads a page of all nodes' running streams after `cursor`, oldest first: their ids are ordered by time. */
  async pageOfRunning(limit: number, cursor?: string): Promise<CursorPage<StreamState>> {
    const rows = await this.database.query<StreamRow[]>(
      `select ${STREAM_COLUMNS} from streams s
       where s.completed_at is null and ($1::uuid is null or s.id > $1) order by s.id limit $2`,
      [cursor ?? null, limit + 1],
    );
    return toCursorPage(rows.map(toState), limit, ({ streamId }) => streamId);
  }

  /** Pauses a stream: once this resolves nothing enters its log. Null where there is no such stream. */
  pause(streamId: string): Promise<Controlled | null> {
    return this.control(PAUSE, [streamId]);
  }

  /** Resumes a stream. Null where there is no such stream. */
  resume(streamId: string): Promise<Controlled | null> {
    return this.control(RESUME, [streamId]);
  }

  /** Gives up a stream that this node owns. Null where it has ended or is no longer at `epoch`. */
  release(streamId: string, epoch: number): Promise<Controlled | null> {
    return this.control(RELEASE, [streamId, epoch]);
  }

  /** Ends a stream once, whoever else tries at the same time (P5). @throws {DomainError} retryable, when the database is away. */
  async end(ending: Ending): Promise<EndResult> {
    const { streamId, owner, type, usage, error, reason, finishReason, pauseVersion } = ending;
    const values = [
      streamId,
      owner?.epoch ?? null,
      owner?.lastSequence ?? null,
      type,
      STATUS_OF[type],
      usage ? JSON.stringify(usage) : null,
      error ? JSON.stringify(error) : null,
      reason ?? finishReason ?? null,
      pauseVersion ?? null,
    ];
    const [row] = await queryUnlocked<EndRow>(this.ends, END, values);
    return toEndResult(ending, row as EndRow);
  }

  /** Reads how a stream ended, as {@link end} returned it; null where it still runs, or the conversation is gone. */
  async findEnded(streamId: string): Promise<EndedStream | null> {
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

  private async control(statement: Statement, values: readonly unknown[]): Promise<Controlled | null> {
    const [row] = await queryUnlocked<Controlled>(this.controls, statement, values);
    return row ?? null;
  }
}

/** Runs a statement. @throws {DomainError} retryable, when the database is slow or away. */
export function queryOn<T>(
  connection: DedicatedConnection,
  statement: Statement,
  values: readonly unknown[],
): Promise<T[]> {
  return connection.query<T>(statement, values).catch((fault: unknown) => {
    throw toDatabaseError(fault);
  });
}

/**
 * As {@link queryOn}; while another session holds the row that the statement needs, tries again, so that the connection's
 * other statements go on.
 */
function queryUnlocked<T>(
  connection: DedicatedConnection,
  statement: Statement,
  values: readonly unknown[],
): Promise<T[]> {
  return retryWhileLocked(() => connection.query<T>(statement, values)).catch((fault: unknown) => {
    throw toDatabaseError(fault);
  });
}

function toEndResult({ streamId, type }: Ending, row: EndRow): EndResult {
  if (row.outcome === 'not_found') return { outcome: 'not_found' };
  const { outcome, status, last_sequence: lastSequence, conversation_id: conversationId } = row;
  if (outcome !== 'ended') return { outcome, status, lastSequence };
  const common = { streamId, content: '', createdAt: row.ended_at };
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

function toAnswer(streamId: string, row: EndRow): EndedStream['message'] {
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
