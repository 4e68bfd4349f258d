import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { Presence } from '../protocol/index.js';
import { LastSeenStore } from './last-seen.store.js';

const BATCH = 1000;
const RETRY_MS = 1000;

/** Keeps the last state of every user who was seen: what changes while a batch is written is the next batch. */
@Injectable()
export class LastSeen {
  private readonly logger = new Logger(LastSeen.name);
  /** At most one entry for each user, however long the database is away. */
  private readonly waiting = new Map<string, Presence>();
  private writing: Promise<void> | undefined;
  private closing = false;

  constructor(private readonly store: LastSeenStore) {}

  /** Does not wait: a state that is lost with the process is an older `lastSeenAt` later, no more. */
  note(presence: Presence): void {
    this.waiting.set(presence.userId, presence);
    this.writing ??= this.write();
  }

  /** What is known of these users, as offline; nothing for who was never seen. */
  async of(userIds: readonly string[]): Promise<Map<string, Presence>> {
    if (userIds.length === 0) return new Map();
    // Before the database is asked: what is written meanwhile may be in neither.
    const waiting = userIds.map((userId) => this.waiting.get(userId)).filter((state) => state !== undefined);
    const known = new Map((await this.store.read(userIds)).map((state) => [state.userId, state]));
    for (const state of waiting) known.set(state.userId, state);
    return known;
  }

  /** Writes what waits; tries once. */
  async close(): Promise<void> {
    this.closing = true;
    await this.writing;
  }

  private async write(): Promise<void> {
    await Promise.resolve(); // What changes in the same turn goes with the first batch.
    while (this.waiting.size > 0) {
      const batch = [...this.waiting.values()].slice(0, BATCH);
      try {
        await this.store.write(batch);
        for (const state of batch) {
          if (this.waiting.get(state.userId) === state) this.waiting.delete(state.userId);
        }
      } catch (error) {
        this.logger.warn(`${batch.length} users' last presence was not written: ${String(error)}`);
        if (this.closing) break;
        await delay(RETRY_MS);
      }
    }
    this.writing = undefined;
  }
}
