import type { DatabaseLog } from './log.js';
import { Lane, type LaneOptions } from './dedicated-connection.js';

/** Opens the {@link Lane}s of one database, and closes them all. */
export class Lanes {
  private readonly opened: Lane[] = [];

  constructor(private readonly options: { url: string; log: DatabaseLog }) {}

  /** A new lane under `name`, connected when it is first used. */
  open(name: string, options: Pick<LaneOptions, 'settings' | 'deadlineMs'> = {}): Lane {
    const lane = new Lane({ ...this.options, ...options, name });
    this.opened.push(lane);
    return lane;
  }

  /** Waits for what the lanes are doing, and closes them. */
  async close(): Promise<void> {
    await Promise.all(this.opened.map((lane) => lane.close()));
  }
}
