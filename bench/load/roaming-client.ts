import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../harness/clock.js';
import { WireClient } from './wire.js';

export interface RoamingClientOptions {
  url: string;
  token: string;
  deviceId: string;
  conversationId: string;
  /** Whether the server is Socket.IO with its own recovery, and not Streamgate. */
  bare: boolean;
  /** How many messages have been published in the room, and acked to whoever did. */
  published: () => number;
  /** Called with how long it took from the first try to connect until nothing was missing any more, in milliseconds. */
  onCaughtUp: (ms: number) => void;
  /** Called when a connection has ended on which it was in. */
  onLost?: () => void;
}

const RETRY_MS = 500;

/** A member of a room whose connection dies now and then, and who comes back as its server's client library would. */
export class RoamingClient {
  private client: WireClient | undefined;
  private readonly early = new Set<number>();
  /** Everything up to this number has come. */
  heard = 0;
  /** Messages that came once more. */
  repeats = 0;
  private acked = 0;
  private wanted: { since: number; upTo: number } | undefined;
  /** What Socket.IO's recovery goes by: the session, and the last packet. */
  private session: { pid?: string; offset?: string } = {};

  constructor(private readonly options: RoamingClientOptions) {}

  /** Connects, and tries again until it is in. */
  async arrive(): Promise<void> {
    const since = nowMs();
    while (!(await this.tryToArrive(since))) await delay(RETRY_MS);
  }

  /** Connects once; how long it takes to have everything counts from `since`. @returns whether it is in. */
  async tryToArrive(since: number): Promise<boolean> {
    this.wanted ??= { since, upTo: this.options.published() };
    try {
      await this.connect();
    } catch {
      this.client?.close();
      return false;
    }
    this.look();
    return true;
  }

  /** Loses the connection without a word. */
  cut(): void {
    this.client?.close();
  }

  /** Acks what has come, as a client library would from time to time. */
  ack(): void {
    if (this.options.bare || this.acked === this.heard || this.client?.ended !== undefined) return;
    this.acked = this.heard;
    const { conversationId } = this.options;
    this.client?.emit('message:ack', JSON.stringify({ conversationId, seq: this.heard }), () => {});
  }

  private async connect(): Promise<void> {
    const { url, token, deviceId, bare } = this.options;
    let recovered = false;
    const { promise: ended, reject } = rejected();
    this.client = await WireClient.open({
      url,
      auth: bare ? this.session : { token, deviceId, acks: true },
      onConnect: (payload) => {
        const { pid } = JSON.parse(payload) as { pid?: string };
        recovered = pid !== undefined && pid === this.session.pid;
        if (pid !== undefined) this.session.pid = pid;
      },
      onEvent: (name, payload) => this.hear(name, payload),
      onEnd: () => reject(new Error('the connection ended')),
    });
    // On a connection that has ended nothing answers any more.
    if (!recovered) await Promise.race([this.join(this.client), ended]);
    ended.catch(() => this.options.onLost?.());
  }

  private async join(client: WireClient): Promise<void> {
    const { conversationId, bare } = this.options;
    const afterSeq = this.heard;
    let page = await client.askText('conversation:join', { conversationId, afterSeq, access: 'link' });
    if (bare) return;
    this.readAll(page);
    while (page.includes('"hasMore":true')) {
      page = await client.askText('message:history', { conversationId, afterSeq: this.heard, limit: 200 });
      this.readAll(page);
    }
  }

  /** Takes all messages in `text`. An answer of hundreds of kilobytes is not parsed: a phone does that for one person. */
  private readAll(text: string): void {
    for (let at = text.indexOf('"content":"'); at !== -1; at = text.indexOf('"content":"', at + 1)) {
      this.take(numberOf(text, at));
    }
  }

  private hear(name: string, payload: string): void {
    if (name === 'message:new') {
      this.take(numberOf(payload, payload.indexOf('"content":"')));
      if (this.options.bare) this.session.offset = payload.slice(payload.lastIndexOf(',"') + 2, -1);
    } else if (name === 'queue:deliver') {
      this.readAll(payload);
    }
    this.look();
  }

  private take(number: number): void {
    if (number <= this.heard || this.early.has(number)) {
      this.repeats += 1;
      return;
    }
    this.early.add(number);
    while (this.early.delete(this.heard + 1)) this.heard += 1;
  }

  private look(): void {
    if (!this.wanted || this.client?.ended !== undefined || this.heard < this.wanted.upTo) return;
    this.options.onCaughtUp(nowMs() - this.wanted.since);
    this.wanted = undefined;
  }

  /** How many of `published` messages have come at all, in whatever order. */
  received(): number {
    return this.heard + this.early.size;
  }
}

/** Messages begin with their number. */
function numberOf(payload: string, contentAt: number): number {
  return Number.parseInt(payload.slice(contentAt + 11, contentAt + 23), 10);
}

function rejected(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<never>((_, fail) => (reject = fail));
  promise.catch(() => {}); // Whether anybody waits for it or not.
  return { promise, reject };
}
