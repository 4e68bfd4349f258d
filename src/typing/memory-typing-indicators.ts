import type { Clock } from '../common/clock.js';
import { DeadlineQueue } from '../common/deadline-queue.js';
import type { TypingUpdate } from '../protocol/index.js';
import {
  newEntry,
  settleTyping,
  startTyping,
  stopTyping,
  typingDueAt,
  type Told,
  type TypingEntry,
} from './typing-entry.js';
import { TypingIndicators, type Typist } from './typing-indicators.js';

interface Place {
  readonly conversationId: string;
  readonly userId: string;
  readonly entry: TypingEntry;
}

const SLOT_MS = 50;

/** The typing indicators of a single node. Each call changes everything at once, before its promise is made. */
export class MemoryTypingIndicators extends TypingIndicators {
  private readonly conversations = new Map<string, Map<string, Place>>();
  private readonly due = new DeadlineQueue<Place>(SLOT_MS);

  constructor(
    private readonly timeoutMs: number,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** Conversations with indicators, and times that are waited for: both are 0 soon after the last has stopped. */
  get size(): { conversations: number; due: number } {
    return { conversations: this.conversations.size, due: this.due.size };
  }

  override start({ conversationId, userId, connectionId }: Typist): Promise<TypingUpdate | null> {
    const places = this.conversations.get(conversationId) ?? new Map<string, Place>();
    this.conversations.set(conversationId, places);
    const place = places.get(userId) ?? { conversationId, userId, entry: newEntry(connectionId) };
    places.set(userId, place);
    const times = { now: this.clock.steady(), timeoutMs: this.timeoutMs };
    return Promise.resolve(this.arrange(place, startTyping(place.entry, connectionId, times)));
  }

  override stop({
    conversationId,
    userId,
    connectionId,
  }: Omit<Typist, 'connectionId'> & { connectionId?: string }): Promise<TypingUpdate | null> {
    const place = this.conversations.get(conversationId)?.get(userId);
    const others = connectionId !== undefined && place?.entry.connectionId !== connectionId;
    return Promise.resolve(!place || others ? null : this.arrange(place, stopTyping(place.entry)));
  }

  override settle(): Promise<TypingUpdate[]> {
    const now = this.clock.steady();
    const updates = this.due.take(now).map((place) => this.arrange(place, settleTyping(place.entry, now)));
    return Promise.resolve(updates.filter((update) => update !== null));
  }

  override in(conversationId: string): Promise<string[]> {
    const places = [...(this.conversations.get(conversationId)?.values() ?? [])];
    return Promise.resolve(places.filter(({ entry }) => entry.shown).map(({ userId }) => userId));
  }

  override countUsers(): Promise<number> {
    const userIds = new Set<string>();
    for (const places of this.conversations.values()) {
      for (const { userId, entry } of places.values()) if (entry.shown) userIds.add(userId);
    }
    return Promise.resolve(userIds.size);
  }

  /** Sets when to look again, or forgets; gives what the others are to be told. */
  private arrange(place: Place, told: Told): TypingUpdate | null {
    const { conversationId, userId, entry } = place;
    const dueAt = typingDueAt(entry, this.clock.steady());
    if (dueAt === null) this.forget(place);
    else this.due.set(place, dueAt);
    return told === null ? null : { conversationId, userId, isTyping: told };
  }

  private forget(place: Place): void {
    this.due.delete(place);
    const places = this.conversations.get(place.conversationId);
    places?.delete(place.userId);
    if (places?.size === 0) this.conversations.delete(place.conversationId);
  }
}
