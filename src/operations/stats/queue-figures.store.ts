import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** How much waits for users. */
export interface QueueFigures {
  queued: number;
  /** Users for whom something waits. */
  users: number;
  /** Deliveries per such user; 0 where nothing waits. */
  average: number;
}

/** Counts of the queue: they read all of it, so they are for an operator who asks now and then. */
@Injectable()
export class QueueFiguresStore {
  constructor(private readonly database: DataSource) {}

  async read(): Promise<QueueFigures> {
    const rows = await this.database.query<{ queued: string; users: string }[]>(
      `select coalesce(sum(n), 0) as queued, count(*) as users
       from (select count(*) as n from deliveries group by user_id) d`,
    );
    const queued = Number(rows[0]?.queued);
    const users = Number(rows[0]?.users);
    return { queued, users, average: users === 0 ? 0 : queued / users };
  }
}
