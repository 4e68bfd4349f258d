import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Row of a user who has been seen: what is left of a presence when its last device has gone. */
@Entity('users')
export class UserEntity {
  @PrimaryColumn({ type: 'text', name: 'user_id', collation: 'C', primaryKeyConstraintName: 'users_pk' })
  userId: string;

  @Column({ type: 'timestamptz', name: 'last_seen_at', precision: 3 })
  lastSeenAt: Date;

  /** Of the last state that others were told: a later one has a greater version. */
  @Column({ type: 'bigint', name: 'presence_version' })
  presenceVersion: string;
}
