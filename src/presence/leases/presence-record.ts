import type { Presence, PresencePayload, PresenceStatus } from '../../protocol/index.js';

/** Durations that decide presence, in milliseconds. */
export interface PresenceRules {
  /** A user without activity on any device for this long is away. */
  awayAfterMs: number;
  /** After the last device has disconnected, the user may reconnect within this time without appearing offline. */
  leaveGraceMs: number;
  /** A lease that is not renewed for this long expires. */
  leaseMs: number;
}

/** Lease of one connection. They are kept in an array, because a user has few: a map takes twice the memory. */
interface HeldLease {
  readonly connectionId: string;
  until: number;
}

/** State of a user who is connected, or has just disconnected. Times are in milliseconds of a monotonic clock. */
export interface PresenceRecord {
  readonly userId: string;
  /** One for each connection. */
  leases: HeldLease[];
  lastActivityAt: number;
  /** When the last device disconnected; null while one is connected. */
  leftAt: number | null;
  /** Whether the last device's lease expired: it disappeared long before, and gets no grace period. */
  hasExpired: boolean;
  /** Status that the user chose; `online` means none. Lasts as long as the record. */
  chosenStatus: PresenceStatus;
  metadata: Record<string, unknown> | undefined;
  /** The presence that was last published to others. */
  published: Presence;
}

/** A reading of both clocks. */
export interface ClockReading {
  /** Milliseconds of the monotonic clock. */
  now: number;
  /** Added to a monotonic time it gives milliseconds since 1970. */
  epochOffsetMs: number;
}

/** Returns the record of a user who has not been seen yet. */
export function newRecord(userId: string, now: number): PresenceRecord {
  return {
    userId,
    leases: [],
    lastActivityAt: now,
    leftAt: null,
    hasExpired: false,
    chosenStatus: 'online',
    metadata: undefined,
    published: { userId, status: 'offline', lastSeenAt: null, version: 0 },
  };
}

/** Sets the status that the user chose. Metadata equal to the present one is no change. */
export function setChosenStatus(record: PresenceRecord, { status, metadata }: PresencePayload): void {
  record.chosenStatus = status;
  if (JSON.stringify(metadata) !== JSON.stringify(record.metadata)) record.metadata = metadata;
}

/** Gives a connection a lease until `until`, or extends its lease. */
export function setLease(record: PresenceRecord, connectionId: string, until: number): void {
  const held = record.leases.find((lease) => lease.connectionId === connectionId);
  if (held) held.until = until;
  else record.leases = record.leases.concat({ connectionId, until });
  record.leftAt = null;
  record.hasExpired = false;
}

/** Ends the lease of a connection whose client has disconnected. */
export function removeLease(record: PresenceRecord, connectionId: string, now: number): void {
  const left = record.leases.filter((lease) => lease.connectionId !== connectionId);
  if (left.length === 0 && record.leases.length > 0) record.leftAt = now;
  record.leases = left;
}

/**
 * Brings the record up to date.
 * @returns whether `published` has changed, and must be announced.
 */
export function advance(
  record: PresenceRecord,
  { now, epochOffsetMs }: ClockReading,
  rules: PresenceRules,
): boolean {
  dropExpired(record, now, rules);
  const status = statusAt(record, now, rules);
  const metadata = status === 'offline' ? undefined : record.metadata;
  const { published } = record;
  if (status === published.status && metadata === published.metadata) return false;
  const seenAt = record.leftAt ?? (status === 'offline' ? now : record.lastActivityAt);
  record.published = {
    userId: record.userId,
    status,
    lastSeenAt: new Date(epochOffsetMs + seenAt).toISOString(),
    ...(metadata && { metadata }),
    // Must rise also when the clock stands still or steps back.
    version: Math.max(published.version + 1, Math.floor(epochOffsetMs + now)),
  };
  return true;
}

/** Returns whether the user is offline, so that the record can be deleted. */
export function isGone(record: PresenceRecord, now: number, rules: PresenceRules): boolean {
  return record.leftAt !== null && now >= goneAt(record, rules);
}

/** Returns when the record must be swept next. */
export function dueAt(record: PresenceRecord, rules: PresenceRules): number {
  if (record.leftAt !== null) return goneAt(record, rules);
  const leases = Math.min(...record.leases.map(({ until }) => until));
  const observed = record.chosenStatus === 'online' && record.published.status === 'online';
  return observed ? Math.min(leases, record.lastActivityAt + rules.awayAfterMs) : leases;
}

function goneAt(record: PresenceRecord, { leaveGraceMs }: PresenceRules): number {
  return (record.leftAt as number) + (record.hasExpired ? 0 : leaveGraceMs);
}

function dropExpired(record: PresenceRecord, now: number, { leaseMs }: PresenceRules): void {
  const expired = record.leases.filter(({ until }) => until <= now);
  if (expired.length === 0) return;
  record.leases = record.leases.filter(({ until }) => until > now);
  if (record.leases.length > 0) return;
  record.leftAt = Math.max(...expired.map(({ until }) => until - leaseMs));
  record.hasExpired = true;
}

function statusAt(record: PresenceRecord, now: number, rules: PresenceRules): PresenceStatus {
  // Nothing changes within the grace period.
  if (record.leftAt !== null) return isGone(record, now, rules) ? 'offline' : record.published.status;
  if (record.chosenStatus !== 'online') return record.chosenStatus;
  return now - record.lastActivityAt >= rules.awayAfterMs ? 'away' : 'online';
}
