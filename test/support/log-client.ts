import { setTimeout as delay } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import {
  SOCKET_PATH,
  type Ack,
  type Chunk,
  type ClientEvents,
  type Message,
  type QueueItem,
  type SendPayload,
} from '../../src/protocol/index.js';
import { RefusedError, tokenFor } from './client.js';
import { MessageLog } from './message-log.js';

export interface LogClientOptions {
  userId: string;
  deviceId: string;
  conversationIds: readonly string[];
  /** Whether it joins its conversations; otherwise it lives on `queue:deliver` and `message:history` alone. */
  joins: boolean;
  /** Whether it comes back with Socket.IO's own delays; otherwise sooner, so that tests are short. */
  backsOffByDefault?: boolean;
  /** Hears the chunks of answers as they come. */
  onChunk?: (chunk: Chunk) => void;
}

type Deliver = (delivery: { items: QueueItem[] }, done: () => void) => void;

const ASK_MS = 6000;
const HOLE_MS = 1000;
const RETRY_MS = 100;

/**
 * A client that follows the protocol's rules (4.5, 4.8) over lost connections and killed servers, and so reconstructs
 * the log of each of its conversations: it joins again with `afterSeq`, drops what it has, holds what comes early, fills
 * holes from history, acks only what it has without holes, and sends again, under the same id, what was not acked.
 */
export class LogClient {
  readonly logs = new Map<string, MessageLog>();
  /** Answers that no retry can mend. */
  readonly refusals: string[] = [];
  /** How long each lost connection took until the next was there, joined, and nothing was missing, in milliseconds. */
  readonly outages: number[] = [];
  private lostAt: number | undefined;
  /** Id of the connection on which it has joined. */
  private backOn: string | undefined;
  private readonly acked = new Map<string, number>();
  private readonly acking = new Set<string>();
  private readonly filling = new Map<string, Promise<void>>();
  private readonly holes = new Map<string, NodeJS.Timeout>();
  private stopped = false;

  private constructor(
    private readonly socket: Socket,
    private readonly options: LogClientOptions,
  ) {
    for (const id of options.conversationIds) this.logs.set(id, new MessageLog());
    socket.on('connect', () => void this.catchUp());
    socket.on('disconnect', () => (this.lostAt ??= performance.now()));
    if (options.onChunk) socket.on('stream:chunk', options.onChunk);
    socket.on('message:new', (message: Message) => this.receive(message));
    socket.on('queue:deliver', ((delivery, done) => void this.takeDelivery(delivery.items, done)) as Deliver);
  }

  /** Begins to connect, and comes back whenever the connection is lost. */
  static async start(url: string, options: LogClientOptions): Promise<LogClient> {
    const { userId, deviceId, backsOffByDefault = false } = options;
    const socket = io(url, {
      ...{ path: SOCKET_PATH, transports: ['websocket'], forceNew: true, autoConnect: false },
      ...(!backsOffByDefault && { reconnectionDelay: 50, reconnectionDelayMax: 400 }),
      auth: { token: await tokenFor(userId), deviceId, acks: true },
    });
    const client = new LogClient(socket, options);
    socket.connect();
    return client;
  }

  /** Whether it is connected and has joined on this connection. */
  get isBack(): boolean {
    return this.socket.connected && this.backOn === this.socket.id;
  }

  get userId(): string {
    return this.options.userId;
  }

  /** Sends until it is acked, over however many connections. @throws {RefusedError} for an error that is not retryable. */
  async send(payload: SendPayload): Promise<Message> {
    for (;;) {
      const answer = await this.ask('message:send', payload);
      if (answer) {
        this.receive(answer.message);
        return answer.message;
      }
      await delay(RETRY_MS);
    }
  }

  /** Loses the connection without a word. It comes back by itself. */
  cut(): void {
    const engine = this.socket.io.engine as { transport?: { ws?: { terminate?: () => void } } } | undefined;
    engine?.transport?.ws?.terminate?.();
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.holes.values()) clearTimeout(timer);
    this.socket.disconnect();
  }

  /** The answer, or null where asking again may help. */
  private async ask<K extends keyof ClientEvents>(
    event: K,
    payload: ClientEvents[K][0],
  ): Promise<ClientEvents[K][1] | null> {
    if (!this.socket.connected) return null;
    let answer: Ack<ClientEvents[K][1]>;
    try {
      answer = (await this.socket.timeout(ASK_MS).emitWithAck(event, payload)) as typeof answer;
    } catch {
      return null; // Disconnected, or no answer in time: Socket.IO rejects for nothing else.
    }
    if (answer.ok) return answer;
    if (answer.error.retryable) return null;
    this.refusals.push(`${event}: ${answer.error.code}`);
    throw new RefusedError(answer.error);
  }

  private async catchUp(): Promise<void> {
    const { id } = this.socket;
    this.acked.clear(); // What was acked on a lost connection may be lost with it.
    const conversationIds = [...this.logs.keys()];
    if (this.options.joins) await Promise.all(conversationIds.map((each) => this.join(each)));
    else for (const conversationId of conversationIds) this.ack(conversationId);
    if (this.socket.id !== id) return;
    this.backOn = id;
    if (this.lostAt === undefined) return;
    this.outages.push(performance.now() - this.lostAt);
    this.lostAt = undefined;
  }

  private async join(conversationId: string): Promise<void> {
    const { id } = this.socket;
    while (!this.stopped && this.socket.connected && this.socket.id === id) {
      const afterSeq = this.log(conversationId).lastSeq;
      const answer = await this.ask('conversation:join', { conversationId, afterSeq });
      if (!answer) {
        await delay(RETRY_MS);
        continue;
      }
      for (const message of answer.messages) this.receive(message);
      if (answer.hasMore) await this.fill(conversationId);
      return this.ack(conversationId);
    }
  }

  private receive(message: Message): void {
    const { conversationId } = message;
    const log = this.log(conversationId);
    if (log.take(message)) this.ack(conversationId);
    if (!log.hasHole || this.holes.has(conversationId)) return;
    const look = (): void => {
      this.holes.delete(conversationId);
      if (log.hasHole) void this.fill(conversationId);
    };
    this.holes.set(conversationId, setTimeout(look, HOLE_MS));
  }

  private async takeDelivery(items: QueueItem[], done: () => void): Promise<void> {
    const { id } = this.socket;
    const touched = new Set<string>();
    for (const item of items) {
      if (item.kind !== 'message') continue;
      touched.add(item.message.conversationId);
      this.receive(item.message);
    }
    for (const conversationId of touched) {
      if (this.log(conversationId).hasHole) await this.fill(conversationId);
    }
    // On another connection it could be taken for the ack of another delivery.
    if (this.socket.id === id) done();
  }

  /** Reads behind the hole until there is none; one reader at a time for each conversation. */
  private fill(conversationId: string): Promise<void> {
    const running = this.filling.get(conversationId);
    if (running) return running;
    const promise = this.readOn(conversationId).finally(() => this.filling.delete(conversationId));
    this.filling.set(conversationId, promise);
    return promise;
  }

  private async readOn(conversationId: string): Promise<void> {
    const log = this.log(conversationId);
    for (let hasMore = true; !this.stopped && (hasMore || log.hasHole);) {
      const page = await this.ask('message:history', { conversationId, afterSeq: log.lastSeq, limit: 200 });
      if (!page) await delay(RETRY_MS);
      for (const message of page?.messages ?? []) this.receive(message);
      hasMore = page?.hasMore ?? true;
    }
  }

  private ack(conversationId: string): void {
    if (!this.acking.has(conversationId)) void this.ackAll(conversationId);
  }

  private async ackAll(conversationId: string): Promise<void> {
    this.acking.add(conversationId);
    const log = this.log(conversationId);
    while (!this.stopped && this.socket.connected && log.lastSeq > (this.acked.get(conversationId) ?? 0)) {
      const seq = log.lastSeq;
      const answer = await this.ask('message:ack', { conversationId, seq });
      if (answer) this.acked.set(conversationId, seq);
      else await delay(RETRY_MS);
    }
    this.acking.delete(conversationId);
  }

  private log(conversationId: string): MessageLog {
    const log = this.logs.get(conversationId);
    if (!log) throw new Error(`${this.userId} heard of ${conversationId}, which is not its own`);
    return log;
  }
}
