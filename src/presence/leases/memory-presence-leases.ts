import type { Clock } from '../../common/clock.js';
import { DeadlineQueue } from '../../common/deadline-queue.js';
import type { Presence, PresencePayload } from '../../protocol/index.js';
import { PresenceLeases, type Lease } from './presence-leases.js';
import {
  advance,
  choose,
  dueAt,
  endLease,
  holdLease,
  isGone,
  newRecord,
  type Moment,
  type PresenceRecord,
  type PresenceRules,
} from './presence-record.js';

const SLOT_MS = 50;

/** The presence of a single node. Each call changes everything at once, before its promise is made. */
export class MemoryPresenceLeases extends PresenceLeases {
  private readonly records = new Map<string, PresenceRecord>();
  private readonly due = new DeadlineQueue<string>(SLOT_MS);

  constructor(
    private readonly rules: PresenceRules,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** Users of whom something is kept, and times that are waited for: both are 0 when nobody is there. */
  get size(): { users: number; due: number } {
    return { users: this.records.size, due: this.due.size };
  }

  override enter(lease: Lease): Promise<Presence | null> {
    const record = this.hold(lease);
    record.lastActivityAt = this.clock.steady();
    return Promise.resolve(this.bringUp(record));
  }

  override leave({ userId, connectionId }: Lease): Promise<Presence | null> {
    return this.change(userId, (record) => endLease(record, connectionId, this.clock.steady()));
  }

  override renew(leases: readonly Lease[]): Promise<Presence[]> {
    return Promise.resolve(leases.map((lease) => this.bringUp(this.hold(lease))).filter(isChange));
  }

  override touch(userId: string): Promise<Presence | null> {
    return this.change(userId, (record) => {
      record.lastActivityAt = this.clock.steady();
    });
  }

  override choose(userId: string, choice: PresencePayload): Promise<Presence | null> {
    return this.change(userId, (record) => choose(record, choice));
  }

  override settle(): Promise<Presence[]> {
    const records = this.due.take(this.clock.steady()).map((userId) => this.records.get(userId));
    return Promise.resolve(records.map((record) => record && this.bringUp(record)).filter(isChange));
  }

  override of(userIds: readonly string[]): Promise<Map<string, Presence>> {
    const found = new Map<string, Presence>();
    for (const userId of userIds) {
      const record = this.records.get(userId);
      if (record) found.set(userId, record.shown);
    }
    return Promise.resolve(found);
  }

  override present(afterUserId: string, limit: number): Promise<Presence[]> {
    const shown = this.shown().filter(({ userId }) => userId > afterUserId);
    return Promise.resolve(shown.toSorted((a, b) => (a.userId < b.userId ? -1 : 1)).slice(0, limit));
  }

  override count(): Promise<number> {
    return Promise.resolve(this.shown().length);
  }

  override close(): Promise<Presence[]> {
    const moment = this.moment();
    const lost = [...this.records.values()].filter(({ shown }) => shown.status !== 'offline');
    for (const record of lost) {
      record.leases = [];
      record.leftAt ??= moment.now;
      record.ranOut = true;
      advance(record, moment, this.rules);
    }
    for (const userId of this.records.keys()) this.due.delete(userId);
    this.records.clear();
    return Promise.resolve(lost.map(({ shown }) => shown));
  }

  private hold({ userId, connectionId }: Lease): PresenceRecord {
    const now = this.clock.steady();
    const record = this.records.get(userId) ?? newRecord(userId, now);
    this.records.set(userId, record);
    holdLease(record, connectionId, now + this.rules.leaseMs);
    return record;
  }

  private change(userId: string, act: (record: PresenceRecord) => void): Promise<Presence | null> {
    const record = this.records.get(userId);
    if (!record) return Promise.resolve(null);
    act(record);
    return Promise.resolve(this.bringUp(record));
  }

  private bringUp(record: PresenceRecord): Presence | null {
    const moment = this.moment();
    const changed = advance(record, moment, this.rules);
    if (isGone(record, moment.now, this.rules)) {
      this.records.delete(record.userId);
      this.due.delete(record.userId);
    } else {
      this.due.set(record.userId, dueAt(record, this.rules));
    }
    return changed ? record.shown : null;
  }

  private moment(): Moment {
    const now = this.clock.steady();
    return { now, epochMs: this.clock.now() - now };
  }

  private shown(): Presence[] {
    return [...this.records.values()].map(({ shown }) => shown).filter(({ status }) => status !== 'offline');
  }
}

function isChange(presence: Presence | null | undefined): presence is Presence {
  return presence !== null && presence !== undefined;
}
