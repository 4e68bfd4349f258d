import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Row of a stream. `epoch` fences writers: only the owner of the current one appends. */
@Entity('streams')
@Index('streams_running_user', ['userId'], { where: 'completed_at IS NULL' })
@Index('streams_running_conversation', ['conversationId'], { where: 'completed_at IS NULL' })
export class StreamEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'streams_pk' })
  id: string;

  @Column('text', { name: 'conversation_id', collation: 'C' })
  conversationId: string;

  @Column('uuid', { name: 'message_id' })
  messageId: string;

  @Column('json', { name: 'reply_to' })
  replyTo: Record<string, unknown>;

  @Column('text', { name: 'user_id', collation: 'C' })
  userId: string;

  @Column('text', { collation: 'C', default: 'starting' })
  status: string;

  @Column('text', { collation: 'C' })
  provider: string;

  @Column('text', { collation: 'C' })
  model: string;

  @Column('text', { collation: 'C' })
  transport: string;

  @Column('json')
  options: Record<string, unknown>;

  @Column('text', { name: 'owner_node', collation: 'C', nullable: true })
  ownerNode: string | null;

  @Column('integer', { default: 1 })
  epoch: number;

  /** Sequence of the last chunk in the log; -1 while there is none. */
  @Column('integer', { name: 'last_sequence', default: -1 })
  lastSequence: number;

  @Column('bigint', { default: 0 })
  bytes: string;

  /** UTF-8 bytes of the prompt, from which usage is estimated where the provider does not count. */
  @Column('integer', { name: 'prompt_bytes', default: 0 })
  promptBytes: number;

  @Column('json', { nullable: true })
  usage: Record<string, unknown> | null;

  @Column('json', { nullable: true })
  error: Record<string, unknown> | null;

  @Column('integer', { default: 0 })
  interruptions: number;

  @Column('integer', { default: 0 })
  recoveries: number;

  @Column('timestamptz', { name: 'started_at', precision: 3 })
  startedAt: Date;

  @Column('timestamptz', { name: 'first_chunk_at', precision: 3, nullable: true })
  firstChunkAt: Date | null;

  @Column('timestamptz', { name: 'last_chunk_at', precision: 3, nullable: true })
  lastChunkAt: Date | null;

  /** When the terminal chunk was written; null while the stream can still produce. */
  @Column('timestamptz', { name: 'completed_at', precision: 3, nullable: true })
  completedAt: Date | null;
}
