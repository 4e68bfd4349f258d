import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ChunkType } from '../../protocol/index.js';

/** Row of a chunk. The partial index enforces P5 once more: a stream has at most one terminal chunk. */
@Entity('stream_chunks')
@Index('stream_chunks_one_end', ['streamId'], {
  unique: true,
  where: `type = ANY (ARRAY['complete'::text, 'cancelled'::text, 'error'::text])`,
})
export class ChunkEntity {
  @PrimaryColumn({ type: 'uuid', name: 'stream_id', primaryKeyConstraintName: 'stream_chunks_pk' })
  streamId: string;

  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'stream_chunks_pk' })
  sequence: number;

  @Column({ type: 'text', collation: 'C' })
  type: ChunkType;

  @Column('text')
  content: string;

  @Column({ type: 'json', nullable: true })
  metadata: Record<string, unknown> | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;
}
