import { setTimeout as delay } from 'node:timers/promises';
import type { Message, ServerEvents } from '../../protocol/index.js';
import type { ConversationEvent } from '../../platform/relay/topics.js';
import type { Connection } from '../connections/connection.js';
import type { RoomSource } from './room-source.js';
import { ThrottledBroadcast } from './throttled-broadcast.js';

type MessageEvent = Extract<ConversationEvent, { type: 'message' }>;

interface ReceivedMessage {
  event: MessageEvent;
  atMs: number;
}

/**
 * Emits to all sockets of the room except those whose ids are in `except`. The start of typing is volatile: a socket that
 * cannot take it at once misses it.
 */
export type Broadcast = <K extends keyof ServerEvents>(
  event: K,
  payload: ServerEvents[K],
  except?: string[],
) => void;

const GAP_HOLD_MS = 50;
const RETRY_MS = 1000;
/** Limits the socket writes for receipts of one room in half a second: each receipt goes to every connection. */
const RECEIPT_WRITES = 500;

/**
 * The connections of this node that joined one conversation. Broadcasts its messages in ascending order of `seq`: a late
 * message is dropped; at a gap the room waits briefly, then reads the missing messages from the log. A message of a newer
 * membership version waits until the members are known and former members have been removed (P10).
 */
export class Room {
  readonly connections = new Set<Connection>();
  private readonly receipts = new ThrottledBroadcast<ServerEvents['message:receipt']>({
    keyOf: ({ userId }) => userId,
    audience: () => this.connections.size,
    send: (receipt) => this.broadcast('message:receipt', receipt, this.idsOf(receipt.userId)),
    writes: RECEIPT_WRITES,
  });
  private readonly inbox: ReceivedMessage[] = [];
  private broadcastSeq = 0;
  private memberVersion = 0;
  private started = false;
  private busy = true;
  private closed = false;

  constructor(
    readonly conversationId: string,
    private readonly source: RoomSource,
    private readonly broadcast: Broadcast,
    /** Takes a connection out of this room. */
    private readonly evict: (connection: Connection) => void,
  ) {}

  /**
   * Begins to broadcast messages after `lastSeq`: the end of the log, read after the room subscribed to the relay, so that
   * no commit is missed. Idempotent.
   */
  start(lastSeq: number): void {
    if (this.started) return;
    this.started = true;
    this.broadcastSeq = lastSeq;
    void this.processInbox();
  }

  /** `seq` of the last message that was broadcast, or of the end of the log when the room started. */
  get lastSeq(): number {
    return this.broadcastSeq;
  }

  /** Stops all retries and waiting receipts. Called when the room is empty. */
  close(): void {
    this.closed = true;
    this.receipts.close();
  }

  /** Handles an event from the relay. */
  receive(event: ConversationEvent): void {
    switch (event.type) {
      case 'message':
        this.enqueue(event);
        if (!this.busy) void this.processInbox();
        break;
      case 'changed':
        this.broadcast('conversation:changed', event.change);
        break;
      case 'typing':
        this.broadcast('typing:update', event.update, this.idsOf(event.update.userId));
        break;
      case 'receipt':
        this.receipts.add(event.receipt);
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

  /** Returns the ids of the user's own connections in this room. */
  private idsOf(userId: string): string[] {
    return [...this.connections].filter((connection) => connection.userId === userId).map(({ id }) => id);
  }

  /** Inserts in ascending order of `seq`: the relay may deliver in another order. */
  private enqueue(event: MessageEvent): void {
    let index = this.inbox.length;
    while (index > 0 && (this.inbox[index - 1] as ReceivedMessage).event.message.seq > event.message.seq)
      index -= 1;
    this.inbox.splice(index, 0, { event, atMs: performance.now() });
  }

  /** Finishes within one turn of the event loop unless it has to wait for a gap or for the members. */
  private async processInbox(): Promise<void> {
    this.busy = true;
    for (let first = this.inbox[0]; first && !this.closed; first = this.inbox[0]) {
      const { message, memberVersion, origin } = first.event;
      if (memberVersion <= this.memberVersion && message.seq <= this.broadcastSeq + 1) {
        this.inbox.shift();
        if (message.seq === this.broadcastSeq + 1) this.broadcastMessage(message, origin);
        continue;
      }
      try {
        await this.prepare(first);
      } catch (error) {
        this.source.onError(this.conversationId, error);
        await this.waitForRetry();
      }
    }
    this.busy = false;
  }

  /** Takes one step towards broadcasting this message: reads the members, waits at a gap, or fills the gap. */
  private async prepare(received: ReceivedMessage): Promise<void> {
    const { message, memberVersion } = received.event;
    const holdMs = received.atMs + GAP_HOLD_MS - performance.now();
    if (memberVersion > this.memberVersion) await this.refreshMembers(memberVersion);
    else if (holdMs > 0) await delay(holdMs);
    else if (!(await this.fillGap(message.seq))) this.inbox.splice(this.inbox.indexOf(received), 1);
  }

  /** Keeps only the last message for the retry: the ones before it become a gap, which is read from the log. */
  private async waitForRetry(): Promise<void> {
    await delay(RETRY_MS, undefined, { ref: false });
    this.inbox.splice(0, this.inbox.length - 1);
  }

  private async refreshMembers(version: number): Promise<void> {
    const members = await this.source.members(this.conversationId, version);
    const notListed = [...this.connections].filter(({ userId }) => !members.has(userId));
    if (notListed.length > 0) {
      // A user who became a member after that version is not in the list: the newest version decides.
      const newest = await this.source.members(this.conversationId, Number.MAX_SAFE_INTEGER);
      for (const connection of notListed) if (!newest.has(connection.userId)) this.evict(connection);
    }
    this.memberVersion = version;
  }

  /** Returns whether everything before `seq` has been broadcast; false where the log no longer has it. */
  private async fillGap(seq: number): Promise<boolean> {
    while (this.broadcastSeq + 1 < seq) {
      const messages = await this.source.messagesAfter(this.conversationId, this.broadcastSeq);
      if (messages.length === 0) return false;
      for (const message of messages) {
        // Later messages may belong to a newer membership version, and have events of their own.
        if (message.seq >= seq) break;
        this.broadcastMessage(message);
      }
    }
    return true;
  }

  private broadcastMessage(message: Message, origin?: string): void {
    this.broadcastSeq = message.seq;
    this.broadcast('message:new', message, origin === undefined ? undefined : [origin]);
    for (const connection of this.connections) {
      if (connection.acks || connection.id === origin) continue;
      // A connection that is still joining has not received this message.
      const joinedAt = connection.joined.get(this.conversationId) ?? message.seq;
      if (message.seq > joinedAt) this.source.onWritten(connection, message);
    }
  }
}

/** Names the Socket.IO room of the connections that joined a conversation. */
export function conversationRoom(conversationId: string): string {
  return `conversation:${conversationId}`;
}
