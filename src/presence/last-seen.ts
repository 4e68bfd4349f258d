import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { Presence } from '../protocol/index.js';
import { LastSeenStore } from './last-seen.store.js';

const BATCH = 1000;
const RETRY_MS = 1000;

/** Stores the last presence of every user, in batches: changes during a write form the next batch. */
@Injectable()
export class LastSeen {
  private readonly logger = new Logger(LastSeen.name);
  /** One entry per user at most, however long the database is unavailable. */
  private readonly waiting = new Map<string, Presence>();
  private writing: Promise<void> | undefined;
  private closing = false;

  constructor(private readonly store: LastSeenStore) {}

  /** Stores a presence without waiting. If the process dies first, an older `lastSeenAt` remains. */
  record(presence: Presence): void {
    this.waiting.set(presence.userId, presence);
    this.writing ??= this.write();
  }

  /** Returns the last presence of each of these users, as offline; users who were never seen are missing. */
  async of(userIds: readonly string[]): Promise<Map<string, Presence>> {
    if (userIds.length === 0) return new Map();
    // Read before the query: a presence that is written during it might be in neither.
    const waiting = userIds.map((userId) => this.waiting.get(userId)).filter((state) => state !== undefined);
    const known = new Map((await this.store.read(userIds)).map((state) => [state.userId, state]));
    for (const state of waiting) known.set(state.userId, state);
    return known;
  }

  /** Writes what is waiting. Does not retry. */
  async close(): Promise<void> {
    this.closing = true;
    await this.writing;
  }

  private async write(): Promise<void> {
    await Promise.resolve(); // Changes of the same turn of the event loop form one batch.
    while (this.waiting.size > 0) {
      const batch = [...this.waiting.values()].slice(0, BATCH);
      try {
        await this.store.write(batch);
        for (const state of batch) {
          if (this.waiting.get(state.userId) === state) this.waiting.delete(state.userId);
        }
      } catch (error) {
        this.logger.warn('failed to store when users were last seen', { users: batch.length, error });
        if (this.closing) break;
        await delay(RETRY_MS);
      }
    }
    this.writing = undefined;
  }
}
