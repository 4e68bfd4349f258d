import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Row of a delivery that waits. It is deleted when the recipient acks (P8). */
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

  /** The system message itself; null where the row points to a message of a conversation. */
  @Column({ type: 'json', nullable: true })
  system: Record<string, unknown> | null;

  @Column({ type: 'smallint', default: 0 })
  attempts: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' })
  createdAt: Date;
}

/** Row of a delivery that will not be made (`expired`, `dropped` or `failed`), kept for the operator for a time. */
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
  system: Record<string, unknown> | null;

  @Column('smallint')
  attempts: number;

  @Column({ type: 'text', collation: 'C' })
  state: string;

  /** Whether the user has been told of it, as part of `dropped`. */
  @Column({ type: 'boolean', default: false })
  told: boolean;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'ended_at', precision: 3, default: () => 'now()' })
  endedAt: Date;
}
