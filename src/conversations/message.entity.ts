import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Row of a message. `metadata` is `json`, not `jsonb`, which would not return it as it was sent (P3). */
@Entity('messages')
@Index('messages_once', ['conversationId', 'senderId', 'clientMessageId'], { unique: true })
export class MessageEntity {
  @PrimaryColumn({
    type: 'text',
    name: 'conversation_id',
    collation: 'C',
    primaryKeyConstraintName: 'messages_pk',
  })
  conversationId: string;

  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'messages_pk' })
  seq: string;

  @Column('uuid')
  id: string;

  @Column({ type: 'text', name: 'sender_id', collation: 'C' })
  senderId: string;

  @Column({ type: 'text', collation: 'C' })
  role: string;

  @Column({ type: 'text', name: 'client_message_id', collation: 'C' })
  clientMessageId: string;

  @Column('text')
  content: string;

  @Column('json')
  metadata: Record<string, unknown>;

  /** The stream that produced this message; null for people's messages. */
  @Column({ type: 'uuid', name: 'stream_id', nullable: true })
  streamId: string | null;

  @Column({ type: 'json', name: 'reply_to', nullable: true })
  replyTo: Record<string, unknown> | null;

  /** The stream that answers this message; null when no answer was asked for. */
  @Column({ type: 'uuid', name: 'answer_stream_id', nullable: true })
  answerStreamId: string | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;
}
