import { LIMITS } from '../protocol/index.js';

/** One user's indicator in one conversation. Times are in milliseconds of a steady clock. */
export interface TypingEntry {
  /** When it expires unless it is renewed; null while the user is not typing. */
  expiresAt: number | null;
  /** Connection that typed last: its end is the indicator's. */
  connectionId: string;
  /** Whether the others have been told that the user types. */
  shown: boolean;
  /** When they were told last: until 2 s later they are not told again. */
  announcedAt: number;
}

/** What the others are to be told: `true` or `false`; null for nothing. */
export type Told = boolean | null;

export function newEntry(connectionId: string): TypingEntry {
  return { expiresAt: null, connectionId, shown: false, announcedAt: Number.NEGATIVE_INFINITY };
}

/** The user types, or still does. */
export function startTyping(
  entry: TypingEntry,
  connectionId: string,
  times: { now: number; timeoutMs: number },
): Told {
  entry.connectionId = connectionId;
  entry.expiresAt = times.now + times.timeoutMs;
  return announceIfOpen(entry, times.now);
}

/** The user has stopped. */
export function stopTyping(entry: TypingEntry): Told {
  entry.expiresAt = null;
  if (!entry.shown) return null;
  entry.shown = false;
  return false;
}

/** What time has done: an indicator that expired, or one whose announcement had to wait. */
export function settleTyping(entry: TypingEntry, now: number): Told {
  if (entry.expiresAt === null) return null;
  if (entry.expiresAt <= now) return stopTyping(entry);
  return entry.shown ? null : announceIfOpen(entry, now);
}

/** When it has to be looked at next; null when it is of no more use. */
export function typingDueAt(entry: TypingEntry, now: number): number | null {
  const opensAt = entry.announcedAt + LIMITS.typingAnnounceMs;
  if (entry.expiresAt === null) return opensAt > now ? opensAt : null;
  return entry.shown ? entry.expiresAt : Math.min(entry.expiresAt, opensAt);
}

function announceIfOpen(entry: TypingEntry, now: number): Told {
  if (now < entry.announcedAt + LIMITS.typingAnnounceMs) return null;
  entry.announcedAt = now;
  entry.shown = true;
  return true;
}
