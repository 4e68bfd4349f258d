import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { StreamState } from '../../protocol/index.js';
import { STREAM_COLUMNS, toState, type StreamRow } from './stream.rows.js';

/** Some of the running streams. */
export interface RunningPage {
  items: StreamState[];
  /** Where the next page begins; absent on the last one. */
  nextCursor?: string;
}

/** The streams of all nodes that have not ended. */
@Injectable()
export class RunningStreamsStore {
  constructor(private readonly database: DataSource) {}

  /** Oldest first (their ids are ordered by time), behind `cursor`. */
  async page(limit: number, cursor?: string): Promise<RunningPage> {
    const rows = await this.database.query<StreamRow[]>(
      `select ${STREAM_COLUMNS} from streams s
       where s.completed_at is null and ($1::uuid is null or s.id > $1) order by s.id limit $2`,
      [cursor ?? null, limit + 1],
    );
    const items = rows.slice(0, limit).map(toState);
    const last = items.at(-1);
    return { items, ...(rows.length > limit && last && { nextCursor: last.streamId }) };
  }
}
