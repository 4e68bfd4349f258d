import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ConversationAccess } from '../protocol/index.js';

/** Row of a conversation. `lastSeq` is the last `seq` of its log; `memberVersion` rises with every change of its members. */
@Entity('conversations')
export class ConversationEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'conversations_pk' })
  id: string;

  @Column({ type: 'text', nullable: true })
  title: string | null;

  @Column({ type: 'text', collation: 'C', default: 'members' })
  access: ConversationAccess;

  @Column({ type: 'bigint', name: 'last_seq', default: 0 })
  lastSeq: string;

  @Column({ type: 'bigint', name: 'member_version', default: 0 })
  memberVersion: string;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' })
  createdAt: Date;
}
