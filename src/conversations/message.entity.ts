import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Row of a message. `metadata` is `json`, not `jsonb`: it comes back as it was sent (P3). */
@Entity('messages')
@Index('messages_once', ['conversationId', 'senderId', 'clientMessageId'], { unique: true })
export class MessageEntity {
  @PrimaryColumn('text', { name: 'conversation_id', collation: 'C', primaryKeyConstraintName: 'messages_pk' })
  conversationId: string;

  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'messages_pk' })
  seq: string;

  @Column('uuid')
  id: string;

  @Column('text', { name: 'sender_id', collation: 'C' })
  senderId: string;

  @Column('text', { collation: 'C' })
  role: string;

  @Column('text', { name: 'client_message_id', collation: 'C' })
  clientMessageId: string;

  @Column('text')
  content: string;

  @Column('json')
  metadata: Record<string, unknown>;

  /** The stream that produced this message; null for people's messages. */
  @Column('uuid', { name: 'stream_id', nullable: true })
  streamId: string | null;

  @Column('json', { name: 'reply_to', nullable: true })
  replyTo: Record<string, unknown> | null;

  /** The stream that answers this message; null where no answer was asked for. */
  @Column('uuid', { name: 'answer_stream_id', nullable: true })
  answerStreamId: string | null;

  @Column('timestamptz', { name: 'created_at', precision: 3 })
  createdAt: Date;
}
