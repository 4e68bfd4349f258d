import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { expect, test, type OnTestFinishedHandler } from 'vitest';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser } from '../support/stream-readers.js';
import { waitForStreams } from '../support/stream-log.js';
import { withClient } from '../support/with-client.js';

const SPREAD_MS = 1500;
const SPREAD = { SHUTDOWN_SPREAD_MS: String(SPREAD_MS) };
const QUESTION = 'How do I use my own PostgreSQL?';

/** Where one test plays: what it begins ends with it. */
class Scene {
  constructor(private readonly defer: (undo: OnTestFinishedHandler) => void) {}

  async start(env: Record<string, string>, databaseUrl?: string): Promise<TestServer> {
    const server = await startServer({ env, ...(databaseUrl !== undefined && { databaseUrl }) });
    this.defer(async () => void (await server.stop()));
    return server;
  }

  async restart(server: TestServer): Promise<TestServer> {
    const next = await server.restart();
    this.defer(async () => void (await next.stop()));
    return next;
  }

  async member(url: string, userId: string, reconnection = false): Promise<TestClient> {
    const client = await TestClient.connect(url, userId, { reconnection });
    this.defer(() => client.close());
    await client.ask('conversation:join', { conversationId: 'room', access: 'link' });
    return client;
  }
}

/** The next `event` on a client's socket, its own ones included. */
function heard({ socket }: TestClient, event: string): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(event, (...payload: unknown[]) => resolve(payload)));
}

/** A connection that has had one answer, and has begun to ask for more: it is not idle, so it stays when the server stops listening. */
async function openedBefore(url: string): Promise<TcpSocket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  socket.write('GET /api/ws/health/live HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

/** Everything that comes after `rest` was written, until the server closes. */
async function answered(socket: TcpSocket, rest: string): Promise<string> {
  let text = '';
  socket.on('data', (part: string) => (text += part));
  socket.write(rest);
  await once(socket, 'close');
  return text;
}

test.concurrent(
  'On SIGTERM each client is notified when it must disconnect, is served until then, and its transport is closed; exit 0 (P12)',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.start(SPREAD);
    const guests = await Promise.all(
      Array.from({ length: 20 }, (_, n) => scene.member(server.url, `user${n}`)),
    );
    const left = guests.map(async (client, index) => {
      const [{ reconnectInMs }] = (await heard(client, 'connection:draining')) as [{ reconnectInMs: number }];
      const send = {
        conversationId: 'room',
        clientMessageId: `m${index}`,
        content: 'Still here?',
        respond: false,
      };
      // Whoever has to go at once may not be answered any more.
      const acked = reconnectInMs < SPREAD_MS / 2 || (await client.ask('message:send', send));
      const [reason] = (await heard(client, 'disconnect')) as [string];
      return { reconnectInMs, reason, acked };
    });
    const exit = server.terminate();
    const farewells = await Promise.all(left);
    for (const { reconnectInMs, reason, acked } of farewells) {
      // The next process has a moment to be ready.
      expect(reconnectInMs).toBeGreaterThanOrEqual(0.3 * SPREAD_MS);
      expect(reconnectInMs).toBeLessThanOrEqual(SPREAD_MS);
      expect(reason).toBe('transport close');
      expect(acked).toBeTruthy();
    }
    expect(new Set(farewells.map(({ reconnectInMs }) => reconnectInMs)).size).toBeGreaterThan(10);
    expect(await exit).toBe(0);
  },
);

test.concurrent(
  'The port is free at once: a new process takes it while the old one drains, and an unmodified client comes back to it (P12)',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.start({ ...SPREAD, SHUTDOWN_SPREAD_MS: '10000', SHUTDOWN_GRACE_MS: '30000' });
    const alice = await scene.member(server.url, 'alice', true);
    const first = alice.socket.id;
    const draining = heard(alice, 'connection:draining');
    const exit = server.terminate();
    await draining;
    await scene.restart(server);
    await eventually(
      () => alice.socket.connected && alice.socket.id !== first,
      'a connection to the new process',
    );
    expect(await exit).toBe(0);
  },
);

test.concurrent(
  'While the server leaves it is not ready; what would begin is refused so that clients try again, and what reads is served (P12)',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.start(SPREAD);
    const alice = await scene.member(server.url, 'alice');
    const names = ['polling', 'upgrade', 'ask', 'read', 'attach', 'live', 'ready'] as const;
    const sockets = new Map(
      await Promise.all(names.map(async (name) => [name, await openedBefore(server.url)] as const)),
    );
    for (const [name, socket] of sockets) {
      // Only the beginning of a request: nothing more is known of it when the signal comes.
      socket.write(name === 'ask' ? 'POS' : 'GE');
    }
    const exit = server.terminate();
    await alice.waitFor('connection:draining');
    const bearer = `Authorization: Bearer ${await tokenFor('alice')}\r\n`;
    const ask = (name: (typeof names)[number], rest: string): Promise<string> =>
      answered(
        sockets.get(name) as TcpSocket,
        `${rest} HTTP/1.1\r\nHost: x\r\n${bearer}`.replace(/$/, '\r\n'),
      );
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YWFhYWFhYWFhYWFhYWFhYQ==\r\n\r\n';
    const [polling, upgraded, asked, read, attached, live, ready] = await Promise.all([
      ask('polling', 'T /api/ws/chat/?EIO=4&transport=polling'),
      answered(
        sockets.get('upgrade') as TcpSocket,
        `T /api/ws/chat/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n${upgrade}`,
      ),
      ask('ask', 'T /api/conversations'),
      ask('read', 'T /api/conversations'),
      ask('attach', `T /api/ws/stream/${crypto.randomUUID()}/sse`),
      ask('live', 'T /api/ws/health/live'),
      ask('ready', 'T /api/ws/health/ready'),
    ]);
    for (const refused of [polling, upgraded, asked]) {
      expect(refused).toMatch(/^HTTP\/1\.1 503 /);
      expect(refused.toLowerCase()).toContain('\r\nretry-after: 3\r\n');
      expect(refused).toContain('"code":"server_draining"');
    }
    expect(read).toMatch(/^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/);
    expect(attached).toBe('');
    expect(live).toMatch(/^HTTP\/1\.1 200 /);
    expect(ready).toMatch(/^HTTP\/1\.1 503 [^]*"message":"the server is shutting down"/);
    expect(await exit).toBe(0);
  },
);

test.concurrent(
  'An answer that ends while clients are sent away is finished; a long one is handed over after that, and goes on (P5, P12)',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.start({ ...SPREAD, GUIDE_WORDS_PER_SECOND: '20' });
    const alice = await HttpUser.of(server.url, 'alice');
    await alice.conversation('room');
    const long = await alice.ask('http', { conversationId: 'room', message: QUESTION });
    await long.until(() => long.lines.length > 3);
    const seen = long.lines.length;
    expect(await server.terminate()).toBe(0);
    await long.closed();
    // Until the clients had gone, it went on.
    expect(long.lines.length).toBeGreaterThan(seen + 3);
    expect(long.ended).toBe(false);
    const [stored] = await waitForStreams(server.databaseUrl, [long.streamId], () => true);
    expect(stored).toMatchObject({ status: 'interrupted', owner_node: null });
    const next = await scene.restart(server);
    const whole = await (await HttpUser.of(next.url, 'alice')).attach('http', long.streamId);
    await whole.closed();
    expect(answerOf(whole.chunks).length).toBeGreaterThan(0);
    expect(whole.lines.slice(0, long.lines.length)).toEqual(long.lines);
  },
);

test.concurrent(
  'Two nodes on one database: what the leaving one was producing, the other finishes (P5, P12)',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const env = { ...SPREAD, GUIDE_WORDS_PER_SECOND: '25' };
    const old = await scene.start(env);
    const other = await scene.start(env, old.databaseUrl);
    const alice = await HttpUser.of(old.url, 'alice');
    await alice.conversation('room');
    const viewers = await Promise.all(
      Array.from({ length: 5 }, () => alice.ask('sse', { conversationId: 'room', message: QUESTION })),
    );
    await Promise.all(viewers.map((viewer) => viewer.until(() => viewer.lines.length > 3)));
    expect(await old.terminate()).toBe(0);
    const here = await HttpUser.of(other.url, 'alice');
    for (const viewer of viewers) {
      const rest = await here.attach('sse', viewer.streamId, { lastEventId: viewer.ids.at(-1) ?? '' });
      await rest.closed();
      answerOf([...viewer.chunks, ...rest.chunks]);
    }
  },
);

test.concurrent(
  'A process that cannot end in SHUTDOWN_GRACE_MS ends all the same: exit 1, and a sentence that names what hung (P12)',
  async ({ onTestFinished }) => {
    const scene = new Scene(onTestFinished);
    const server = await scene.start({ SHUTDOWN_GRACE_MS: '1500' });
    await withClient(server.databaseUrl, async (blocker) => {
      await blocker.query('begin');
      await blocker.query('lock table nodes in access exclusive mode');
      expect(await server.terminate()).toBe(1);
      await blocker.query('rollback');
    });
    expect(server.output()).toMatch(/The running answers did not end within SHUTDOWN_GRACE_MS\./);
  },
);
