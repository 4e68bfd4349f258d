import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ContextIds } from '../../platform/tracing/request-context.js';
import type { ReplyTo, StreamStatus, StreamTransport, Usage, WireError } from '../../protocol/index.js';

/** How an answer was requested. Stored as JSON with its stream, so that another node can continue it. */
export interface StreamOptions {
  includeContext: boolean;
  /** False: no `stream:*` event is sent, only the message at the end. */
  visible: boolean;
  chunkBytes: number;
  chunkDelayMs: number;
  /**
   * Request context of the event or request that asked: the answer is produced under it. The key is still `work`, its first
   * name, because rows that have it are read after an upgrade.
   */
  work?: ContextIds;
}

/** Row of a stream. `epoch` fences writers: only the owner of the current epoch appends. */
@Entity('streams')
@Index('streams_running_user', ['userId'], { where: 'completed_at IS NULL' })
@Index('streams_conversation', ['conversationId'])
@Index('streams_running_conversation', ['conversationId'], { where: 'completed_at IS NULL' })
@Index('streams_running_owner', ['ownerNode'], { where: 'completed_at IS NULL' })
@Index('streams_ended', ['completedAt'], { where: '(completed_at IS NOT NULL) AND (NOT expired)' })
export class StreamEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'streams_pk' })
  id: string;

  @Column({ type: 'text', name: 'conversation_id', collation: 'C' })
  conversationId: string;

  @Column({ type: 'uuid', name: 'message_id' })
  messageId: string;

  @Column({ type: 'json', name: 'reply_to' })
  replyTo: ReplyTo;

  /** The user who asked. */
  @Column({ type: 'text', name: 'user_id', collation: 'C' })
  userId: string;

  @Column({ type: 'text', collation: 'C', default: 'starting' })
  status: StreamStatus;

  @Column({ type: 'text', collation: 'C' })
  provider: string;

  @Column({ type: 'text', collation: 'C' })
  model: string;

  /** Whether `provider` answers in place of the requested one. */
  @Column({ type: 'boolean', name: 'used_fallback', default: false })
  usedFallback: boolean;

  @Column({ type: 'text', collation: 'C' })
  transport: StreamTransport;

  @Column('json')
  options: StreamOptions;

  @Column({ type: 'text', name: 'owner_node', collation: 'C', nullable: true })
  ownerNode: string | null;

  @Column({ type: 'integer', default: 1 })
  epoch: number;

  /** Raised by each pause and resume: a notification with a lower version is out of date. */
  @Column({ type: 'integer', name: 'control_version', default: 0 })
  controlVersion: number;

  @Column({ type: 'timestamptz', name: 'paused_at', precision: 3, nullable: true })
  pausedAt: Date | null;

  /** Total length of all pauses that are over. */
  @Column({ type: 'bigint', name: 'paused_ms', default: 0 })
  pausedMs: string;

  /** Sequence of the last chunk in the log; -1 while there is none. */
  @Column({ type: 'integer', name: 'last_sequence', default: -1 })
  lastSequence: number;

  @Column({ type: 'bigint', default: 0 })
  bytes: string;

  /** UTF-8 bytes of the prompt, from which usage is estimated where the provider does not report it. */
  @Column({ type: 'integer', name: 'prompt_bytes', default: 0 })
  promptBytes: number;

  @Column({ type: 'json', nullable: true })
  usage: Usage | null;

  @Column({ type: 'json', nullable: true })
  error: WireError | null;

  @Column({ type: 'integer', default: 0 })
  interruptions: number;

  @Column({ type: 'integer', default: 0 })
  recoveries: number;

  @Column({ type: 'timestamptz', name: 'started_at', precision: 3 })
  startedAt: Date;

  @Column({ type: 'timestamptz', name: 'first_chunk_at', precision: 3, nullable: true })
  firstChunkAt: Date | null;

  @Column({ type: 'timestamptz', name: 'last_chunk_at', precision: 3, nullable: true })
  lastChunkAt: Date | null;

  /** When the terminal chunk was written; null while the stream runs. */
  @Column({ type: 'timestamptz', name: 'completed_at', precision: 3, nullable: true })
  completedAt: Date | null;

  /** Whether its chunks were deleted, `STREAM_RETENTION_MS` after its end. */
  @Column({ type: 'boolean', default: false })
  expired: boolean;
}
