import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chunk, Message, QueueItem, StreamState } from '../../src/protocol/index.js';
import { isTerminal } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { MessageLog } from '../support/message-log.js';
import { share } from '../support/share.js';
import { readLog } from '../support/stream-log.js';
import { answerOf, HttpUser } from '../support/stream-readers.js';

const CHAT = 'fixture';
const ANSWERS = 'fixture-answers';
/** Two cores carry the attack as well. */
const PACE_MS = 20;
const DEADLINE_MS = 20_000;

/** What the peers saw while it lasted. */
export interface FixtureReport {
  messages: number;
  answers: number;
  /** Longest time from a send to the moment when the other had heard it, in milliseconds. */
  slowestMs: number;
}

/**
 * Two people who talk without pause, and a model that answers one of them on three transports at once, beside an attack.
 * They hold the server to everything: each message once and in order, each chunk as it is in the log, no connection lost.
 */
export class FuzzFixture {
  private readonly report: FixtureReport = { messages: 0, answers: 0, slowestMs: 0 };
  private readonly leaving = new AbortController();
  private done: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly place: { url: string; databaseUrl: string },
    private readonly people: [Peer, Peer],
    private readonly reader: HttpUser,
    /** What was not as it must be. */
    readonly faults: string[],
  ) {}

  static async open(place: { url: string; databaseUrl: string }, name = ''): Promise<FuzzFixture> {
    const ids = [`ann${name}`, `bob${name}`] as const;
    await share(place.url, CHAT + name, ids);
    await share(place.url, ANSWERS + name, ids);
    const faults: string[] = [];
    const people = await Promise.all(ids.map((id) => Peer.connect(place.url, id, { name, faults })));
    const reader = await HttpUser.of(place.url, ids[0]);
    const fixture = new FuzzFixture(place, people as [Peer, Peer], reader, faults);
    fixture.done = Promise.all([fixture.guard(fixture.talk(name)), fixture.guard(fixture.listen(name))]);
    return fixture;
  }

  /** Both go home. @returns what they saw. */
  async close(): Promise<FixtureReport> {
    this.leaving.abort();
    await this.done;
    const [ann, bob] = this.people;
    if (!isDeepStrictEqual(ann.log.messages, bob.log.messages))
      this.faults.push('they heard different things');
    for (const { log, client } of this.people) {
      this.faults.push(...log.contradictions);
      if (log.hasHole) this.faults.push('a message is missing');
      client.socket.off('disconnect');
      client.close();
    }
    return this.report;
  }

  private async guard(life: Promise<void>): Promise<void> {
    await life.catch((error: unknown) => this.faults.push(`a peer was harmed: ${String(error)}`));
  }

  private async talk(name: string): Promise<void> {
    for (let turn = 0; !this.leaving.signal.aborted; turn += 1) {
      const [speaker, listener] = turn % 2 === 0 ? this.people : this.people.toReversed();
      const begun = performance.now();
      const { message } = await speaker!.client.ask('message:send', {
        ...{
          conversationId: CHAT + name,
          clientMessageId: `m${turn}`,
          content: `Turn ${turn} ö 😀`,
          respond: false,
        },
      });
      speaker!.hear(message);
      await listener!.until(() => listener!.log.lastSeq >= message.seq);
      this.report.slowestMs = Math.max(this.report.slowestMs, Math.round(performance.now() - begun));
      if (message.seq !== turn + 1) this.faults.push(`turn ${turn} has the seq ${message.seq}`);
      await listener!.client.ask('message:ack', {
        conversationId: CHAT + name,
        seq: message.seq,
        read: true,
      });
      this.report.messages += 1;
      await delay(PACE_MS);
    }
  }

  private async listen(name: string): Promise<void> {
    const [, bob] = this.people;
    while (!this.leaving.signal.aborted) {
      const question = {
        conversationId: ANSWERS + name,
        message: 'Go on.',
        chunkDelayMs: 0,
        includeContext: false,
      };
      const sse = await this.reader.ask('sse', question);
      if (sse.status !== 200) throw new Error(`the question was answered ${sse.status}`);
      const lines = await this.reader.attach('http', sse.streamId);
      await Promise.all([sse.closed(), lines.closed()]);
      await bob.until(() => bob.heardEnd(sse.streamId));
      const log = await readLog(this.place.databaseUrl, sse.streamId);
      const said = log.map((chunk) => JSON.stringify(chunk));
      answerOf(log);
      const views = { sse: sse.lines, ndjson: lines.lines, socket: bob.take(sse.streamId) };
      for (const [transport, seen] of Object.entries(views)) {
        if (!isDeepStrictEqual(seen, said))
          this.faults.push(`${transport} is not the log of ${sse.streamId}`);
      }
      this.report.answers += 1;
      await delay(PACE_MS);
    }
  }
}

/** One of them: a client with `acks` that joined both conversations. */
class Peer {
  readonly log = new MessageLog();
  private readonly chunks = new Map<string, Chunk[]>();
  private readonly known = new Set<number>();
  /** What is looked at whenever something comes. */
  private readonly looks = new Set<() => void>();

  private constructor(
    readonly client: TestClient,
    private readonly chat: string,
    private readonly faults: string[],
  ) {}

  static async connect(
    url: string,
    userId: string,
    { name, faults }: { name: string; faults: string[] },
  ): Promise<Peer> {
    const client = await TestClient.connect(url, userId, { acks: true });
    client.socket.offAny();
    const peer = new Peer(client, CHAT + name, faults);
    client.socket.on('message:new', (message: Message) => peer.hear(message));
    client.socket.on('stream:chunk', (chunk: Chunk) => peer.read(chunk));
    client.socket.on('queue:deliver', (_given: { items: QueueItem[] }, ack: () => void) => ack());
    client.socket.on('stream:started', ({ streamId }: StreamState) => peer.chunks.set(streamId, []));
    client.socket.on('disconnect', (reason) => faults.push(`${userId} was disconnected: ${reason}`));
    for (const room of [CHAT, ANSWERS])
      await client.ask('conversation:join', { conversationId: room + name });
    return peer;
  }

  hear(message: Message): void {
    if (message.conversationId !== this.chat) return;
    if (this.known.has(message.seq)) this.faults.push(`message ${message.seq} came twice`);
    this.known.add(message.seq);
    this.log.take(message);
    this.lookAgain();
  }

  private read(chunk: Chunk): void {
    this.chunks.get(chunk.streamId)?.push(chunk);
    this.lookAgain();
  }

  heardEnd(streamId: string): boolean {
    const last = this.chunks.get(streamId)?.at(-1);
    return last !== undefined && isTerminal(last);
  }

  /** What came of an answer, each chunk as JSON, to be forgotten. */
  take(streamId: string): string[] {
    const chunks = this.chunks.get(streamId) ?? [];
    this.chunks.clear();
    return chunks.map((chunk) => JSON.stringify(chunk));
  }

  /** Looks again whenever something comes. @throws after 20 s. */
  until(reached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('what was said did not arrive')), DEADLINE_MS);
      const look = (): void => {
        if (!reached()) return;
        clearTimeout(timer);
        this.looks.delete(look);
        resolve();
      };
      this.looks.add(look);
      look();
    });
  }
  private lookAgain(): void {
    for (const look of this.looks) look();
  }
}
