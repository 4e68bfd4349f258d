import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Row of a process that produces answers, by the id of this one start. It lives while `lease_until` is to come. */
@Entity('nodes')
export class NodeEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'nodes_pk' })
  id: string;

  /** By the database's clock, as all of it. */
  @Column({ type: 'timestamptz', name: 'lease_until', precision: 3 })
  leaseUntil: Date;
}
