import { setTimeout as delay } from 'node:timers/promises';
import type { Message, ServerEvents } from '../../protocol/index.js';
import type { ConversationEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import { ThrottledBroadcast } from './throttled-broadcast.js';

type MessageEvent = Extract<ConversationEvent, { type: 'message' }>;

interface Heard {
  event: MessageEvent;
  atMs: number;
}

/** What a room asks of those below it. */
export interface RoomSource {
  /** Messages behind `afterSeq`, ascending. */
  messagesAfter(conversationId: string, afterSeq: number): Promise<Message[]>;
  /** The members at this membership version or later. */
  members(conversationId: string, version: number): Promise<ReadonlySet<string>>;
  /** A message was written to the socket of a client that does not ack. */
  taken(connection: Connection, message: Message): void;
  failed(conversationId: string, error: unknown): void;
}

/** Emits to all sockets of the room (that somebody types only to those that can take it at once) but those whose ids are in `except`. */
export type Broadcast = <K extends keyof ServerEvents>(
  event: K,
  payload: ServerEvents[K],
  except?: string[],
) => void;

const GAP_HOLD_MS = 50;
const RETRY_MS = 1000;
/** What the receipts of one room may cost in half a second: each is written to every connection in it. */
const RECEIPT_WRITES = 500;

/**
 * The connections of this node that joined one conversation. Emits its messages ascending by `seq`: what comes late is
 * dropped, a gap is held for a moment and then read from the log. Messages of a newer membership wait until the members
 * are known, and who is none any more has left (P10).
 */
export class Room {
  readonly connections = new Set<Connection>();
  private readonly receipts = new ThrottledBroadcast<ServerEvents['message:receipt']>({
    keyOf: ({ userId }) => userId,
    audience: () => this.connections.size,
    tell: (receipt) => this.broadcast('message:receipt', receipt, this.idsOf(receipt.userId)),
    writes: RECEIPT_WRITES,
  });
  private readonly inbox: Heard[] = [];
  private shownSeq = 0;
  private memberVersion = 0;
  private begun = false;
  private busy = true;
  private closed = false;

  constructor(
    readonly conversationId: string,
    private readonly source: RoomSource,
    private readonly broadcast: Broadcast,
    /** Ends a connection's stay in this room. */
    private readonly evict: (connection: Connection) => void,
  ) {}

  /**
   * Shows what lies behind `lastSeq`, where the log ended at some moment since the room listens: from then on nothing that is
   * committed passes it by. A repeat does nothing.
   */
  begin(lastSeq: number): void {
    if (this.begun) return;
    this.begun = true;
    this.shownSeq = lastSeq;
    void this.drain();
  }

  /** `seq` of the last message that was shown, or was there before. */
  get lastSeq(): number {
    return this.shownSeq;
  }

  /** Nobody is in it any more: what it still waits for is not tried again. */
  close(): void {
    this.closed = true;
    this.receipts.close();
  }

  /** Takes an event from the relay. */
  hear(event: ConversationEvent): void {
    switch (event.type) {
      case 'message':
        this.keep(event);
        if (!this.busy) void this.drain();
        break;
      case 'changed':
        this.broadcast('conversation:changed', event.change);
        break;
      case 'typing':
        this.broadcast('typing:update', event.update, this.idsOf(event.update.userId));
        break;
      case 'receipt':
        this.receipts.hear(event.receipt);
        break;
      case 'stream:started':
        this.broadcast('stream:started', event.stream);
        break;
      case 'stream:chunk':
        this.broadcast('stream:chunk', event.chunk);
        break;
      case 'stream:status':
        this.broadcast('stream:status', event.status);
        break;
    }
  }

  /** The user's own connections in this room. */
  private idsOf(userId: string): string[] {
    return [...this.connections].filter((connection) => connection.userId === userId).map(({ id }) => id);
  }

  /** Keeps what was heard ascending by `seq`: the relay can bring it in another order. */
  private keep(event: MessageEvent): void {
    let index = this.inbox.length;
    while (index > 0 && (this.inbox[index - 1] as Heard).event.message.seq > event.message.seq) index -= 1;
    this.inbox.splice(index, 0, { event, atMs: performance.now() });
  }

  /** Runs within one turn while nothing has to be waited for. */
  private async drain(): Promise<void> {
    this.busy = true;
    for (let heard = this.inbox[0]; heard && !this.closed; heard = this.inbox[0]) {
      const { message, memberVersion, origin } = heard.event;
      if (memberVersion <= this.memberVersion && message.seq <= this.shownSeq + 1) {
        this.inbox.shift();
        if (message.seq === this.shownSeq + 1) this.show(message, origin);
        continue;
      }
      try {
        await this.prepare(heard);
      } catch (error) {
        this.source.failed(this.conversationId, error);
        await this.putOff();
      }
    }
    this.busy = false;
  }

  /** Brings the room nearer to where it can show what it heard. */
  private async prepare(heard: Heard): Promise<void> {
    const { message, memberVersion } = heard.event;
    const holdMs = heard.atMs + GAP_HOLD_MS - performance.now();
    if (memberVersion > this.memberVersion) await this.renewMembers(memberVersion);
    else if (holdMs > 0) await delay(holdMs);
    else if (!(await this.fillGap(message.seq))) this.inbox.splice(this.inbox.indexOf(heard), 1);
  }

  /** The last message that came is tried again: what is before it is a gap then, and read from the log. */
  private async putOff(): Promise<void> {
    await delay(RETRY_MS, undefined, { ref: false });
    this.inbox.splice(0, this.inbox.length - 1);
  }

  private async renewMembers(version: number): Promise<void> {
    const members = await this.source.members(this.conversationId, version);
    const strangers = [...this.connections].filter(({ userId }) => !members.has(userId));
    if (strangers.length > 0) {
      // Who became a member behind that version is not in that list: the newest one decides.
      const newest = await this.source.members(this.conversationId, Number.MAX_SAFE_INTEGER);
      for (const connection of strangers) if (!newest.has(connection.userId)) this.evict(connection);
    }
    this.memberVersion = version;
  }

  /** @returns whether everything before `seq` has been shown; not so where the log itself is gone. */
  private async fillGap(seq: number): Promise<boolean> {
    while (this.shownSeq + 1 < seq) {
      const messages = await this.source.messagesAfter(this.conversationId, this.shownSeq);
      if (messages.length === 0) return false;
      for (const message of messages) {
        // What lies behind may belong to a newer membership, and comes by an event of its own.
        if (message.seq >= seq) break;
        this.show(message);
      }
    }
    return true;
  }

  private show(message: Message, origin?: string): void {
    this.shownSeq = message.seq;
    this.broadcast('message:new', message, origin === undefined ? undefined : [origin]);
    for (const connection of this.connections) {
      if (connection.acks || connection.id === origin) continue;
      // Who is only about to join has not been shown it.
      const joinedAt = connection.joined.get(this.conversationId) ?? message.seq;
      if (message.seq > joinedAt) this.source.taken(connection, message);
    }
  }
}

/** Socket.IO room of the connections that joined a conversation. */
export function conversationRoom(conversationId: string): string {
  return `conversation:${conversationId}`;
}
