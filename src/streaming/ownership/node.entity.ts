import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Row of a process that produces answers, with a new id at each start. The process counts as alive until `lease_until`. */
@Entity('nodes')
export class NodeEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'nodes_pk' })
  id: string;

  /** By the database's clock. */
  @Column({ type: 'timestamptz', name: 'lease_until', precision: 3 })
  leaseUntil: Date;
}
