import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { MemberRole } from '../protocol/index.js';

/** Row of a membership, with the positions up to which messages were delivered and read. */
@Entity('members')
@Index('members_user', ['userId', 'conversationId'])
export class MemberEntity {
  @PrimaryColumn({
    type: 'text',
    name: 'conversation_id',
    collation: 'C',
    primaryKeyConstraintName: 'members_pk',
  })
  conversationId: string;

  @PrimaryColumn({ type: 'text', name: 'user_id', collation: 'C', primaryKeyConstraintName: 'members_pk' })
  userId: string;

  @Column({ type: 'text', nullable: true })
  name: string | null;

  @Column({ type: 'text', collation: 'C', default: 'member' })
  role: MemberRole;

  @Column({ type: 'timestamptz', name: 'joined_at', precision: 3, default: () => 'now()' })
  joinedAt: Date;

  /** The conversation's `seq` when the membership began. Earlier messages were never queued for the member. */
  @Column({ type: 'bigint', name: 'joined_seq', default: 0 })
  joinedSeq: string;

  @Column({ type: 'bigint', name: 'delivered_seq', default: 0 })
  deliveredSeq: string;

  @Column({ type: 'timestamptz', name: 'delivered_at', precision: 3, nullable: true })
  deliveredAt: Date | null;

  @Column({ type: 'bigint', name: 'read_seq', default: 0 })
  readSeq: string;

  @Column({ type: 'timestamptz', name: 'read_at', precision: 3, nullable: true })
  readAt: Date | null;
}
