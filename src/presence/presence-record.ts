import type { Presence, PresencePayload, PresenceStatus } from '../protocol/index.js';

/** Times that presence goes by, in milliseconds. */
export interface PresenceRules {
  /** Without activity on any device for so long, a user is away. */
  awayAfterMs: number;
  /** The last device has gone: so long the user may take to return unnoticed. */
  leaveGraceMs: number;
  /** A lease that is not renewed for so long runs out. */
  leaseMs: number;
}

/** What is known of a user who is connected, or has just gone. Times are in milliseconds of a steady clock. */
export interface PresenceRecord {
  readonly userId: string;
  /** When the lease of each connection runs out. */
  readonly leases: Map<string, number>;
  lastActivityAt: number;
  /** Since when no device is connected; null while one is. */
  leftAt: number | null;
  /** Whether the last device went by its lease: it was gone long before, and gets no grace. */
  ranOut: boolean;
  /** The user's own choice; `online` is none. It lasts as long as the record. */
  choice: PresenceStatus;
  metadata: Record<string, unknown> | undefined;
  /** What others have been told. */
  shown: Presence;
}

/** A moment by the steady clock, which times are compared with, and what is to be added to get milliseconds since 1970. */
export interface Moment {
  now: number;
  epochMs: number;
}

/** A user of whom nothing is known yet. */
export function newRecord(userId: string, now: number): PresenceRecord {
  return {
    userId,
    leases: new Map(),
    lastActivityAt: now,
    leftAt: null,
    ranOut: false,
    choice: 'online',
    metadata: undefined,
    shown: { userId, status: 'offline', lastSeenAt: null, version: 0 },
  };
}

/** Sets the user's own choice. Metadata that is the same as before is no change. */
export function choose(record: PresenceRecord, { status, metadata }: PresencePayload): void {
  record.choice = status;
  if (JSON.stringify(metadata) !== JSON.stringify(record.metadata)) record.metadata = metadata;
}

/** Ends the lease of a connection: the client has gone. */
export function endLease(record: PresenceRecord, connectionId: string, now: number): void {
  if (record.leases.delete(connectionId) && record.leases.size === 0) record.leftAt = now;
}

/**
 * Brings the record up to a moment.
 * @returns whether others see a change, which is then in `shown`.
 */
export function advance(record: PresenceRecord, { now, epochMs }: Moment, rules: PresenceRules): boolean {
  dropExpired(record, now, rules);
  const status = statusAt(record, now, rules);
  const metadata = status === 'offline' ? undefined : record.metadata;
  const { shown } = record;
  if (status === shown.status && metadata === shown.metadata) return false;
  const seenAt = record.leftAt ?? (status === 'offline' ? now : record.lastActivityAt);
  record.shown = {
    userId: record.userId,
    status,
    lastSeenAt: new Date(epochMs + seenAt).toISOString(),
    ...(metadata && { metadata }),
    // A clock that stands or steps back must not make a newer state look older.
    version: Math.max(shown.version + 1, Math.floor(epochMs + now)),
  };
  return true;
}

/** Whether the user has gone for good: the record is then of no more use. */
export function isGone(record: PresenceRecord, now: number, rules: PresenceRules): boolean {
  return record.leftAt !== null && now >= goneAt(record, rules);
}

/** When the record has to be looked at next. */
export function dueAt(record: PresenceRecord, rules: PresenceRules): number {
  if (record.leftAt !== null) return goneAt(record, rules);
  const leases = Math.min(...record.leases.values());
  const observed = record.choice === 'online' && record.shown.status === 'online';
  return observed ? Math.min(leases, record.lastActivityAt + rules.awayAfterMs) : leases;
}

function goneAt(record: PresenceRecord, { leaveGraceMs }: PresenceRules): number {
  return (record.leftAt as number) + (record.ranOut ? 0 : leaveGraceMs);
}

function dropExpired(record: PresenceRecord, now: number, { leaseMs }: PresenceRules): void {
  let lastSign = -Infinity;
  for (const [connectionId, until] of record.leases) {
    if (until > now) continue;
    record.leases.delete(connectionId);
    lastSign = Math.max(lastSign, until - leaseMs);
  }
  if (lastSign === -Infinity || record.leases.size > 0) return;
  record.leftAt = lastSign;
  record.ranOut = true;
}

function statusAt(record: PresenceRecord, now: number, rules: PresenceRules): PresenceStatus {
  // Nothing changes while the user may still come back unnoticed.
  if (record.leftAt !== null) return isGone(record, now, rules) ? 'offline' : record.shown.status;
  if (record.choice !== 'online') return record.choice;
  return now - record.lastActivityAt >= rules.awayAfterMs ? 'away' : 'online';
}
