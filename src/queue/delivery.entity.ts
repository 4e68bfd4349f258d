import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { SystemMessage } from '../protocol/index.js';

/** How a delivery ended without an ack. */
export type EndedState = 'expired' | 'dropped' | 'failed';

/** Row of a waiting delivery. It is deleted when the recipient acks it (P8). */
@Entity('deliveries')
export class DeliveryEntity {
  @PrimaryColumn({ type: 'text', name: 'user_id', collation: 'C', primaryKeyConstraintName: 'deliveries_pk' })
  userId: string;

  @PrimaryColumn({
    type: 'bigint',
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'deliveries_pk',
  })
  id: string;

  @Column({ type: 'text', name: 'conversation_id', collation: 'C', nullable: true })
  conversationId: string | null;

  @Column({ type: 'bigint', nullable: true })
  seq: string | null;

  /** The system message itself; null when the row refers to a message of a conversation. */
  @Column({ type: 'json', nullable: true })
  system: SystemMessage | null;

  @Column({ type: 'smallint', default: 0 })
  attempts: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' })
  createdAt: Date;
}

/** Row of a delivery that ended without an ack (`expired`, `dropped` or `failed`), kept for a week for the operator. */
@Entity('ended_deliveries')
@Index('ended_deliveries_age', ['endedAt'])
export class EndedDeliveryEntity {
  @PrimaryColumn({
    type: 'text',
    name: 'user_id',
    collation: 'C',
    primaryKeyConstraintName: 'ended_deliveries_pk',
  })
  userId: string;

  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'ended_deliveries_pk' })
  id: string;

  @Column({ type: 'text', name: 'conversation_id', collation: 'C', nullable: true })
  conversationId: string | null;

  @Column({ type: 'bigint', nullable: true })
  seq: string | null;

  @Column({ type: 'json', nullable: true })
  system: SystemMessage | null;

  @Column('smallint')
  attempts: number;

  @Column({ type: 'text', collation: 'C' })
  state: EndedState;

  /** Whether the user has been notified of it, by the `dropped` count of a batch. */
  @Column({ type: 'boolean', name: 'told', default: false })
  notified: boolean;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'ended_at', precision: 3, default: () => 'now()' })
  endedAt: Date;
}
