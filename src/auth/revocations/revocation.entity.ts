import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Revocation } from '../../platform/relay/topics.js';

/** Row of a revocation: of one token, or of all tokens issued to a user up to a time. */
@Entity('revocations')
@Index('revocations_time', ['revokedAt'])
export class RevocationEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'revocations_pk' })
  kind: Revocation['kind'];

  /** Token id or user id. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'revocations_pk' })
  value: string;

  /** By the database's clock. */
  @Column({ type: 'timestamptz', name: 'revoked_at', precision: 3 })
  revokedAt: Date;
}
