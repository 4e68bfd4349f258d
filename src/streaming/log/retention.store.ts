import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

const CHUNKS_AT_ONCE = 5000;

/** Deletes the chunks of old streams. */
@Injectable()
export class RetentionStore {
  constructor(private readonly database: DataSource) {}

  /**
   * Clears some of the streams that ended longer than `retentionMs` ago; gives how many. 0: none is left, or another
   * node is at it.
   */
  async expire(retentionMs: number): Promise<number> {
    const [row] = await this.database.query<{ count: number }[]>('select expire_streams($1, $2) as count', [
      retentionMs,
      CHUNKS_AT_ONCE,
    ]);
    return row?.count ?? 0;
  }
}
