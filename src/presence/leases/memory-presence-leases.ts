import type { Clock } from '../../common/clock.js';
import { DeadlineQueue } from '../../common/deadline-queue.js';
import type { Presence, PresencePayload } from '../../protocol/index.js';
import { PresenceLeases, type Lease } from './presence-leases.js';
import {
  advance,
  dueAt,
  isGone,
  newRecord,
  removeLease,
  setChosenStatus,
  setLease,
  type ClockReading,
  type PresenceRecord,
  type PresenceRules,
} from './presence-record.js';

const SLOT_MS = 50;

/** Presence in memory, for a single node. Each call takes effect at once, before it returns its promise. */
export class MemoryPresenceLeases extends PresenceLeases {
  private readonly records = new Map<string, PresenceRecord>();
  private readonly due = new DeadlineQueue<string>(SLOT_MS);

  constructor(
    private readonly rules: PresenceRules,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** Numbers of user records and of scheduled sweeps; both 0 when nobody is connected. */
  get size(): { users: number; due: number } {
    return { users: this.records.size, due: this.due.size };
  }

  override acquire(lease: Lease): Promise<Presence | null> {
    const record = this.recordWithLease(lease);
    record.lastActivityAt = this.clock.steady();
    return Promise.resolve(this.refresh(record));
  }

  override release({ userId, connectionId }: Lease): Promise<Presence | null> {
    return this.change(userId, (record) => removeLease(record, connectionId, this.clock.steady()));
  }

  override renew(leases: readonly Lease[]): Promise<Presence[]> {
    return Promise.resolve(leases.map((lease) => this.refresh(this.recordWithLease(lease))).filter(isChange));
  }

  override touch(userId: string): Promise<Presence | null> {
    return this.change(userId, (record) => {
      record.lastActivityAt = this.clock.steady();
    });
  }

  override setStatus(userId: string, status: PresencePayload): Promise<Presence | null> {
    return this.change(userId, (record) => setChosenStatus(record, status));
  }

  override sweep(): Promise<Presence[]> {
    const records = this.due.takeDue(this.clock.steady()).map((userId) => this.records.get(userId));
    return Promise.resolve(records.map((record) => record && this.refresh(record)).filter(isChange));
  }

  override of(userIds: readonly string[]): Promise<Map<string, Presence>> {
    const found = new Map<string, Presence>();
    for (const userId of userIds) {
      const record = this.records.get(userId);
      if (record) found.set(userId, record.published);
    }
    return Promise.resolve(found);
  }

  override listOnline(afterUserId: string, limit: number): Promise<Presence[]> {
    const online = this.online().filter(({ userId }) => userId > afterUserId);
    return Promise.resolve(online.toSorted((a, b) => (a.userId < b.userId ? -1 : 1)).slice(0, limit));
  }

  override countOnline(): Promise<number> {
    return Promise.resolve(this.online().length);
  }

  override close(): Promise<Presence[]> {
    const time = this.readClock();
    const lost = [...this.records.values()].filter(({ published }) => published.status !== 'offline');
    for (const record of lost) {
      record.leases = [];
      record.leftAt ??= time.now;
      record.hasExpired = true;
      advance(record, time, this.rules);
    }
    for (const userId of this.records.keys()) this.due.delete(userId);
    this.records.clear();
    return Promise.resolve(lost.map(({ published }) => published));
  }

  private recordWithLease({ userId, connectionId }: Lease): PresenceRecord {
    const now = this.clock.steady();
    const record = this.records.get(userId) ?? newRecord(userId, now);
    this.records.set(userId, record);
    setLease(record, connectionId, now + this.rules.leaseMs);
    return record;
  }

  private change(userId: string, update: (record: PresenceRecord) => void): Promise<Presence | null> {
    const record = this.records.get(userId);
    if (!record) return Promise.resolve(null);
    update(record);
    return Promise.resolve(this.refresh(record));
  }

  private refresh(record: PresenceRecord): Presence | null {
    const time = this.readClock();
    const changed = advance(record, time, this.rules);
    if (isGone(record, time.now, this.rules)) {
      this.records.delete(record.userId);
      this.due.delete(record.userId);
    } else {
      this.due.set(record.userId, dueAt(record, this.rules));
    }
    return changed ? record.published : null;
  }

  private readClock(): ClockReading {
    const now = this.clock.steady();
    return { now, epochOffsetMs: this.clock.now() - now };
  }

  private online(): Presence[] {
    return [...this.records.values()]
      .map(({ published }) => published)
      .filter(({ status }) => status !== 'offline');
  }
}

function isChange(presence: Presence | null | undefined): presence is Presence {
  return presence !== null && presence !== undefined;
}
