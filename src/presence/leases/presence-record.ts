import type { Presence, PresencePayload, PresenceStatus } from '../../protocol/index.js';

/** Times that presence goes by, in milliseconds. */
export interface PresenceRules {
  /** Without activity on any device for so long, a user is away. */
  awayAfterMs: number;
  /** The last device has gone: so long the user may take to return unnoticed. */
  leaveGraceMs: number;
  /** A lease that is not renewed for so long runs out. */
  leaseMs: number;
}

/** A connection's; few for each user, so that an array of them is half of a map. */
interface HeldLease {
  readonly connectionId: string;
  until: number;
}

/** What is known of a user who is connected, or has just gone. Times are in milliseconds of a steady clock. */
export interface PresenceRecord {
  readonly userId: string;
  /** When the lease of each connection runs out. */
  leases: HeldLease[];
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
    leases: [],
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

/** Gives a connection a lease until a moment, or moves its lease's end. */
export function holdLease(record: PresenceRecord, connectionId: string, until: number): void {
  const held = record.leases.find((lease) => lease.connectionId === connectionId);
  if (held) held.until = until;
  else record.leases = record.leases.concat({ connectionId, until });
  record.leftAt = null;
  record.ranOut = false;
}

/** Ends the lease of a connection: the client has gone. */
export function endLease(record: PresenceRecord, connectionId: string, now: number): void {
  const left = record.leases.filter((lease) => lease.connectionId !== connectionId);
  if (left.length === 0 && record.leases.length > 0) record.leftAt = now;
  record.leases = left;
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
  const leases = Math.min(...record.leases.map(({ until }) => until));
  const observed = record.choice === 'online' && record.shown.status === 'online';
  return observed ? Math.min(leases, record.lastActivityAt + rules.awayAfterMs) : leases;
}

function goneAt(record: PresenceRecord, { leaveGraceMs }: PresenceRules): number {
  return (record.leftAt as number) + (record.ranOut ? 0 : leaveGraceMs);
}

function dropExpired(record: PresenceRecord, now: number, { leaseMs }: PresenceRules): void {
  const lapsed = record.leases.filter(({ until }) => until <= now);
  if (lapsed.length === 0) return;
  record.leases = record.leases.filter(({ until }) => until > now);
  if (record.leases.length > 0) return;
  record.leftAt = Math.max(...lapsed.map(({ until }) => until - leaseMs));
  record.ranOut = true;
}

function statusAt(record: PresenceRecord, now: number, rules: PresenceRules): PresenceStatus {
  // Nothing changes while the user may still come back unnoticed.
  if (record.leftAt !== null) return isGone(record, now, rules) ? 'offline' : record.shown.status;
  if (record.choice !== 'online') return record.choice;
  return now - record.lastActivityAt >= rules.awayAfterMs ? 'away' : 'online';
}
