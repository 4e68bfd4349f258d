import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Row of a user who was seen: what remains of a presence when the last device has disconnected. */
@Entity('users')
export class UserEntity {
  @PrimaryColumn({ type: 'text', name: 'user_id', collation: 'C', primaryKeyConstraintName: 'users_pk' })
  userId: string;

  @Column({ type: 'timestamptz', name: 'last_seen_at', precision: 3 })
  lastSeenAt: Date;

  /** Version of the last published presence: a later one is greater. */
  @Column({ type: 'bigint', name: 'presence_version' })
  presenceVersion: string;
}
