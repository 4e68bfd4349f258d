import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Row of a conversation. `lastSeq` is the log's end; `memberVersion` rises with every change of its members. */
@Entity('conversations')
export class ConversationEntity {
  @PrimaryColumn('text', { collation: 'C', primaryKeyConstraintName: 'conversations_pk' })
  id: string;

  @Column('text', { nullable: true })
  title: string | null;

  @Column('text', { collation: 'C', default: 'members' })
  access: string;

  @Column('bigint', { name: 'last_seq', default: 0 })
  lastSeq: string;

  @Column('integer', { name: 'member_version', default: 1 })
  memberVersion: number;

  @Column('timestamptz', { name: 'created_at', precision: 3, default: () => 'now()' })
  createdAt: Date;
}
