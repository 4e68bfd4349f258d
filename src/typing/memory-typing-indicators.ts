import type { Clock } from '../common/clock.js';
import { DeadlineQueue } from '../common/deadline-queue.js';
import type { TypingUpdate } from '../protocol/index.js';
import {
  newEntry,
  startTyping,
  stopTyping,
  sweepTyping,
  typingDueAt,
  type TypingChange,
  type TypingEntry,
} from './typing-entry.js';
import { TypingIndicators, type StoppedTypist, type Typist } from './typing-indicators.js';

interface Indicator {
  readonly conversationId: string;
  readonly userId: string;
  readonly entry: TypingEntry;
}

const SLOT_MS = 50;

/** Typing indicators in memory, for a single node. Each call takes effect at once, before it returns its promise. */
export class MemoryTypingIndicators extends TypingIndicators {
  private readonly conversations = new Map<string, Map<string, Indicator>>();
  private readonly due = new DeadlineQueue<Indicator>(SLOT_MS);

  constructor(
    private readonly timeoutMs: number,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** Numbers of conversations with indicators and of scheduled sweeps; both 0 soon after the last indicator stopped. */
  get size(): { conversations: number; due: number } {
    return { conversations: this.conversations.size, due: this.due.size };
  }

  override start({ conversationId, userId, connectionId }: Typist): Promise<TypingUpdate | null> {
    const indicators = this.conversations.get(conversationId) ?? new Map<string, Indicator>();
    this.conversations.set(conversationId, indicators);
    const indicator = indicators.get(userId) ?? { conversationId, userId, entry: newEntry(connectionId) };
    indicators.set(userId, indicator);
    const times = { now: this.clock.steady(), timeoutMs: this.timeoutMs };
    return Promise.resolve(this.reschedule(indicator, startTyping(indicator.entry, connectionId, times)));
  }

  override stop({ conversationId, userId, connectionId }: StoppedTypist): Promise<TypingUpdate | null> {
    const indicator = this.conversations.get(conversationId)?.get(userId);
    const isOther = connectionId !== undefined && indicator?.entry.connectionId !== connectionId;
    return Promise.resolve(
      !indicator || isOther ? null : this.reschedule(indicator, stopTyping(indicator.entry)),
    );
  }

  override sweep(): Promise<TypingUpdate[]> {
    const now = this.clock.steady();
    const updates = this.due
      .takeDue(now)
      .map((indicator) => this.reschedule(indicator, sweepTyping(indicator.entry, now)));
    return Promise.resolve(updates.filter((update) => update !== null));
  }

  override typingUsers(conversationId: string): Promise<string[]> {
    const indicators = [...(this.conversations.get(conversationId)?.values() ?? [])];
    return Promise.resolve(indicators.filter(({ entry }) => entry.published).map(({ userId }) => userId));
  }

  override countUsers(): Promise<number> {
    const userIds = new Set<string>();
    for (const indicators of this.conversations.values()) {
      for (const { userId, entry } of indicators.values()) if (entry.published) userIds.add(userId);
    }
    return Promise.resolve(userIds.size);
  }

  /** Schedules the next sweep of the indicator, or deletes it. @returns the update to publish. */
  private reschedule(indicator: Indicator, change: TypingChange): TypingUpdate | null {
    const { conversationId, userId, entry } = indicator;
    const dueAt = typingDueAt(entry, this.clock.steady());
    if (dueAt === null) this.delete(indicator);
    else this.due.set(indicator, dueAt);
    return change === null ? null : { conversationId, userId, isTyping: change };
  }

  private delete(indicator: Indicator): void {
    this.due.delete(indicator);
    const indicators = this.conversations.get(indicator.conversationId);
    indicators?.delete(indicator.userId);
    if (indicators?.size === 0) this.conversations.delete(indicator.conversationId);
  }
}
