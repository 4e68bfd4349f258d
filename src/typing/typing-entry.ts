import { LIMITS } from '../protocol/index.js';

/** One user's typing indicator in one conversation. Times are in milliseconds of a monotonic clock. */
export interface TypingEntry {
  /** When it expires unless renewed; null while the user is not typing. */
  expiresAt: number | null;
  /** Connection that typed last: when it closes, the indicator ends. */
  connectionId: string;
  /** Whether others see the user typing. */
  published: boolean;
  /** When the start was last published: it is not published again within `LIMITS.typingAnnounceMs`. */
  publishedAt: number;
}

/** New value of `isTyping` that must be published; null where nothing changed. */
export type TypingChange = boolean | null;

export function newEntry(connectionId: string): TypingEntry {
  return { expiresAt: null, connectionId, published: false, publishedAt: Number.NEGATIVE_INFINITY };
}

/** Starts or renews the indicator. */
export function startTyping(
  entry: TypingEntry,
  connectionId: string,
  times: { now: number; timeoutMs: number },
): TypingChange {
  entry.connectionId = connectionId;
  entry.expiresAt = times.now + times.timeoutMs;
  return publishIfAllowed(entry, times.now);
}

/** Stops the indicator. */
export function stopTyping(entry: TypingEntry): TypingChange {
  entry.expiresAt = null;
  if (!entry.published) return null;
  entry.published = false;
  return false;
}

/** Applies the passage of time: ends an expired indicator, publishes a postponed one. */
export function sweepTyping(entry: TypingEntry, now: number): TypingChange {
  if (entry.expiresAt === null) return null;
  if (entry.expiresAt <= now) return stopTyping(entry);
  return entry.published ? null : publishIfAllowed(entry, now);
}

/** Returns when the entry must be swept next; null when it can be deleted. */
export function typingDueAt(entry: TypingEntry, now: number): number | null {
  const allowedAt = entry.publishedAt + LIMITS.typingAnnounceMs;
  if (entry.expiresAt === null) return allowedAt > now ? allowedAt : null;
  return entry.published ? entry.expiresAt : Math.min(entry.expiresAt, allowedAt);
}

function publishIfAllowed(entry: TypingEntry, now: number): TypingChange {
  if (now < entry.publishedAt + LIMITS.typingAnnounceMs) return null;
  entry.publishedAt = now;
  entry.published = true;
  return true;
}
