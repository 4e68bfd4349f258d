import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Row of a stream. `epoch` fences writers: only the owner of the current one appends. */
@Entity('streams')
@Index('streams_running_user', ['userId'], { where: 'completed_at IS NULL' })
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
  replyTo: Record<string, unknown>;

  @Column({ type: 'text', name: 'user_id', collation: 'C' })
  userId: string;

  @Column({ type: 'text', collation: 'C', default: 'starting' })
  status: string;

  @Column({ type: 'text', collation: 'C' })
  provider: string;

  @Column({ type: 'text', collation: 'C' })
  model: string;

  /** Whether `provider` answers in place of whom it was asked of. */
  @Column({ type: 'boolean', name: 'used_fallback', default: false })
  usedFallback: boolean;

  @Column({ type: 'text', collation: 'C' })
  transport: string;

  @Column('json')
  options: Record<string, unknown>;

  @Column({ type: 'text', name: 'owner_node', collation: 'C', nullable: true })
  ownerNode: string | null;

  @Column({ type: 'integer', default: 1 })
  epoch: number;

  /** Raised by each pause and resume: who hears of one late knows that it is old. */
  @Column({ type: 'integer', name: 'control_version', default: 0 })
  controlVersion: number;

  @Column({ type: 'timestamptz', name: 'paused_at', precision: 3, nullable: true })
  pausedAt: Date | null;

  /** Length of all pauses that are over. */
  @Column({ type: 'bigint', name: 'paused_ms', default: 0 })
  pausedMs: string;

  /** Sequence of the last chunk in the log; -1 while there is none. */
  @Column({ type: 'integer', name: 'last_sequence', default: -1 })
  lastSequence: number;

  @Column({ type: 'bigint', default: 0 })
  bytes: string;

  /** UTF-8 bytes of the prompt, from which usage is estimated where the provider does not count. */
  @Column({ type: 'integer', name: 'prompt_bytes', default: 0 })
  promptBytes: number;

  @Column({ type: 'json', nullable: true })
  usage: Record<string, unknown> | null;

  @Column({ type: 'json', nullable: true })
  error: Record<string, unknown> | null;

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

  /** When the terminal chunk was written; null while the stream can still produce. */
  @Column({ type: 'timestamptz', name: 'completed_at', precision: 3, nullable: true })
  completedAt: Date | null;

  /** Whether its chunks are gone: `STREAM_RETENTION_MS` after its end. */
  @Column({ type: 'boolean', default: false })
  expired: boolean;
}
