import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Row of what an operator revoked: one token, or all that a user had by then. */
@Entity('revocations')
@Index('revocations_time', ['revokedAt'])
export class RevocationEntity {
  /** `jti` or `sub`. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'revocations_pk' })
  kind: string;

  /** The token's id, or the user's. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'revocations_pk' })
  value: string;

  /** By the database's clock. */
  @Column({ type: 'timestamptz', name: 'revoked_at', precision: 3 })
  revokedAt: Date;
}
