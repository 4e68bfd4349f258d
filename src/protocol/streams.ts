import type { WireError } from './errors.js';
import type { ReplyTo } from './messages.js';

export type StreamStatus =
  'starting' | 'streaming' | 'paused' | 'interrupted' | 'completed' | 'cancelled' | 'failed';

/** The statuses in which a stream can still produce chunks. */
export const RUNNING_STATUSES: readonly StreamStatus[] = ['starting', 'streaming', 'paused', 'interrupted'];

export type TerminalChunkType = 'complete' | 'cancelled' | 'error';
export type ChunkType = 'metadata' | 'content' | 'reasoning' | 'progress' | TerminalChunkType;

const TERMINAL_TYPES: ReadonlySet<string> = new Set<TerminalChunkType>(['complete', 'cancelled', 'error']);

/** Whether nothing comes behind this chunk (P5). */
export function isTerminal({ type }: Pick<Chunk, 'type'>): boolean {
  return TERMINAL_TYPES.has(type);
}

export type CancelReason = 'user' | 'pause_timeout' | 'timeout';

/** Tokens of one answer; `source` says whether the provider counted them. */
export interface Usage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  source: 'provider' | 'estimated';
}

/** An entry in a stream's log. `sequence` counts from 0 without holes. Byte-equal on every transport (P4). */
export interface Chunk {
  streamId: string;
  sequence: number;
  type: ChunkType;
  /** Text of this chunk; empty where there is none. */
  content: string;
  metadata?: Record<string, unknown>;
  /** ISO 8601, UTC, milliseconds. */
  timestamp: string;
}

/** `metadata` of the terminal chunk (protocol section 4, Answers). */
export interface TerminalMetadata {
  /** Absent where there was no text, and so no message. */
  messageId?: string;
  seq?: number;
  usage: Usage;
  contentChunks: number;
  contentBytes: number;
  /** Hex SHA-256 of the UTF-8 of all `content` chunks joined. */
  sha256: string;
  error?: WireError;
  /** Of `cancelled`: a {@link CancelReason}. Of `complete`: why the answer ended other than by its natural end, such as `length`. */
  reason?: string;
}

/** A stream's status object (protocol section 5). Times are ISO 8601 or null where they have not come. */
export interface StreamState {
  streamId: string;
  conversationId: string;
  /** Id that the assistant's message will have. */
  messageId: string;
  replyTo: ReplyTo;
  /** Who asked. */
  userId: string;
  status: StreamStatus;
  provider: string;
  model: string;
  transport: StreamTransport;
  startedAt: string;
  firstChunkAt: string | null;
  lastChunkAt: string | null;
  completedAt: string | null;
  /** Sequence of the last chunk in the log; -1 while there is none. */
  lastSequence: number;
  chunks: number;
  /** UTF-8 bytes of all chunks' content. */
  bytes: number;
  usage: Usage | null;
  interruptions: number;
  recoveries: number;
  ownerNode: string | null;
  epoch: number;
  error: WireError | null;
}

/** By which transport a stream was asked for. */
export type StreamTransport = 'websocket' | 'sse' | 'http';

/** A running stream with all its text up to and including `sequence`. */
export interface ActiveStream extends StreamState {
  snapshot: { text: string; sequence: number };
}

/** Part of a stream's log (`stream:recover`), and where to go on. */
export interface RecoverResult {
  stream: StreamState;
  /** In order, without holes: at most 500 or 256 KiB of text. */
  chunks: Chunk[];
  /** `fromSequence` of the next question. */
  nextSequence: number;
  /** Whether the terminal chunk lies before `nextSequence`. */
  done: boolean;
}
