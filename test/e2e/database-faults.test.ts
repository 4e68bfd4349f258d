import { expect, test, vi } from 'vitest';
import type { Ack, SendAnswer } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.js';
import { startServer, type TestServer } from '../support/server.js';
import { readLog, waitForStreams } from '../support/stream-log.js';
import { chunksOf, expectWholeStream } from '../support/streams.js';
import { withClient } from '../support/with-client.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const CONVERSATION = 'faults';
const QUESTION = 'How do I use my own PostgreSQL?';

/** A server with an answer under way, two people who look, and a PostgreSQL of its own that may be harmed. */
class Scene {
  private constructor(
    readonly postgres: OwnPostgres,
    private readonly server: TestServer,
    private readonly ann: TestClient,
    private readonly bob: TestClient,
    readonly streamId: string,
  ) {}

  /** Resolves once the answer's text is being seen. */
  static async begin(env: Record<string, string> = {}): Promise<Scene> {
    const postgres = await startOwnPostgres();
    const server = await startServer({
      databaseUrl: postgres.url,
      env: { RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'silent', GUIDE_WORDS_PER_SECOND: '15', ...env },
    });
    const ann = await TestClient.connect(server.url, 'ann', { acks: true });
    const bob = await TestClient.connect(server.url, 'bob', { acks: true });
    for (const client of [ann, bob]) {
      await client.ask('conversation:join', { conversationId: CONVERSATION, access: 'link' });
    }
    const question = { conversationId: CONVERSATION, clientMessageId: 'q', content: QUESTION };
    const { streamId } = await ann.ask('message:send', question);
    await bob.waitFor('stream:chunk', ({ sequence }) => sequence === 3);
    return new Scene(postgres, server, ann, bob, streamId as string);
  }

  async end(): Promise<void> {
    this.ann.close();
    this.bob.close();
    await this.server.stop();
    await this.postgres.remove();
  }

  send(clientMessageId: string): Promise<Ack<SendAnswer>> {
    const payload = { conversationId: CONVERSATION, clientMessageId, content: 'x', respond: false };
    return this.ann.raw<Ack<SendAnswer>>('message:send', payload);
  }

  async readiness(): Promise<number> {
    return (await fetch(`${this.server.url}/api/ws/health/ready`)).status;
  }

  /**
   * While the database is away, for as long as two writes take to be refused: those can be sent again, what needs no database
   * goes on, and nothing is shown that is not in the log (P4).
   */
  async expectAway(clientMessageId: string): Promise<void> {
    await this.expectRefused(clientMessageId);
    // What was committed just before was still shown; now there is no more.
    const seen = chunksOf(this.bob, this.streamId).length;
    await this.expectRefused(clientMessageId);
    expect(chunksOf(this.bob, this.streamId)).toHaveLength(seen);
  }

  private async expectRefused(clientMessageId: string): Promise<void> {
    const { ann, bob, server } = this;
    const refused = this.send(clientMessageId);
    await ann.ask('typing:start', { conversationId: CONVERSATION });
    await bob.waitFor('typing:update', ({ userId, isTyping }) => userId === 'ann' && isTyping);
    expect(await ann.raw('ping', 1)).toMatchObject({ ok: true });
    expect(await this.readiness()).toBe(503);
    expect(await refused).toMatchObject({ ok: false, error: { code: 'timeout', retryable: true } });
    const samples = await scrape(server.url);
    expect(sumOf(samples, 'streamgate_ready', { part: 'database' })).toBe(0);
    expect(sumOf(samples, 'streamgate_commit_failures_total', { log: 'messages' })).toBeGreaterThan(0);
  }

  /** Afterwards: ready again, what was refused is stored once, the answer is whole, and nobody was ever taken for gone. */
  async expectHealed(clientMessageId: string): Promise<void> {
    const { ann, bob, streamId } = this;
    const databaseUrl = this.postgres.directUrl();
    await eventually(async () => (await this.readiness()) === 200, 'ready again');
    await eventually(async () => (await this.send(clientMessageId)).ok, 'stored');
    expect(await this.send(clientMessageId)).toMatchObject({ ok: true, duplicate: true });
    const { rows } = await withClient(databaseUrl, (client) =>
      client.query('select from messages where client_message_id = $1', [clientMessageId]),
    );
    expect(rows).toHaveLength(1);
    await waitForStreams(databaseUrl, [streamId], ({ status }) => status === 'completed');
    await bob.waitFor('message:new', (message) => message.streamId === streamId);
    expectWholeStream(bob, streamId);
    expect(await readLog(databaseUrl, streamId)).toEqual(chunksOf(bob, streamId));
    expect([ann.socket.connected, bob.socket.connected]).toEqual([true, true]);
    expect(bob.all('presence:update').filter(({ status }) => status === 'offline')).toEqual([]);
  }
}

// They mostly wait, so they do it together.
for (const [length, leaseMs] of [
  ['shorter than the lease', '15000'],
  ['longer than the lease', '1000'],
] as const) {
  test.concurrent(
    `PostgreSQL stands still for ${length}: the answer waits and goes on, whole, in the same hands (P2, P4, P5, P9)`,
    async ({ onTestFinished }) => {
      const scene = await Scene.begin({ STREAM_LEASE_MS: leaseMs });
      onTestFinished(() => scene.end());
      await scene.postgres.signal('SIGSTOP');
      try {
        await scene.expectAway('still');
      } finally {
        await scene.postgres.signal('SIGCONT');
      }
      await scene.expectHealed('still');
      const [row] = await waitForStreams(scene.postgres.directUrl(), [scene.streamId], () => true);
      expect(row).toMatchObject({ epoch: 1, interruptions: 0, recoveries: 0 });
    },
  );
}

test.concurrent(
  'PostgreSQL is shut down and started again: the answer waits and goes on, whole (P2, P4, P5, P9)',
  async ({ onTestFinished }) => {
    const scene = await Scene.begin({ STREAM_LEASE_MS: '3000' });
    onTestFinished(() => scene.end());
    await scene.postgres.shutDown();
    await scene.expectAway('stopped');
    await scene.postgres.start();
    await scene.expectHealed('stopped');
  },
);

test.concurrent(
  'PostgreSQL answers 200 ms late: everything goes on, later (P2, P4, P5)',
  async ({ onTestFinished }) => {
    const scene = await Scene.begin();
    onTestFinished(() => scene.end());
    scene.postgres.slow(200);
    expect(await scene.send('slow')).toMatchObject({ ok: true });
    expect(await scene.readiness()).toBe(200);
    await scene.expectHealed('slow');
  },
);
