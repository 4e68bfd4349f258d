import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Message } from '../../src/protocol/index.js';
import { launchBrowser } from '../support/browser.js';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { hasChromium } from '../support/requirements.js';
import { openSamplePage, SAMPLE_URL, samplesOf, type SamplePage } from '../support/samples.js';
import { startServer, type TestServer } from '../support/server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const SAMPLES = (await samplesOf('docs/clients.md')).filter(({ language }) => language === 'js');
const SLOW = 'words:60:40';
const LONG = 'words:400:10';
const covered = new Set<string>();

/** The sample with this title, as it is written. */
function sample(title: string): string {
  covered.add(title);
  const found = SAMPLES.find((one) => one.title === title);
  if (!found) throw new Error(`docs/clients.md has no JavaScript under “${title}”.`);
  return found.code;
}

describe.skipIf(!hasChromium())('the JavaScript of docs/clients.md, run as it is written', () => {
  let browser: Browser;
  let llm: LlmServer;
  let server: TestServer;
  let proxy: TcpProxy;
  let other: TestClient;
  let mine: SamplePage;
  let conversationId: string;
  let count = 0;

  beforeAll(async () => {
    llm = await startLlmServer();
    const models = { LLM_MODEL: SLOW, LLM_MODELS: [LONG, 'words:5'].join(',') };
    const quick = {
      TOKEN_EXPIRY_GRACE_MS: '1000',
      RATE_LIMIT_ENABLED: 'false',
      MAX_CONNECTIONS_PER_USER: '100',
    };
    server = await startServer({ env: { LLM_BASE_URL: llm.baseUrl, ...models, ...quick } });
    proxy = await startTcpProxy(server.url);
    browser = await launchBrowser();
    mine = await openSamplePage(browser, proxy.url);
    other = await TestClient.connect(server.url, 'other');
  });

  /** A socket of `me` that has not connected, and `other` in a conversation that both are members of. */
  beforeEach(async () => {
    await mine.reset();
    conversationId = `samples-${(count += 1)}`;
    other.heard.splice(0);
    await other.ask('conversation:join', { conversationId, access: 'link' });
    const headers = { Authorization: `Bearer ${await tokenFor('other')}` };
    await fetch(`${server.url}/api/conversations/${conversationId}/members/me`, { method: 'PUT', headers });
    const names = { token: await tokenFor('me'), conversationId };
    await mine.run(`Object.assign(globalThis, ${JSON.stringify(names)}); globalThis.socket = client(token);`);
  });

  afterEach(async () => {
    proxy.mend();
    if (mine.faults.length > 0) throw new Error(mine.faults.join('\n'));
    await other.ask('conversation:leave', { conversationId });
  });

  afterAll(async () => {
    other?.close();
    await browser?.close();
    await proxy?.close();
    await server?.stop();
    await llm?.close();
  });

  const connect = (): Promise<void> => mine.run('await connected(socket)');
  const join = (): Promise<void> =>
    mine.run("await connected(socket); await socket.emitWithAck('conversation:join', { conversationId })");
  const until = (expression: string): Promise<void> =>
    eventually(() => mine.get<boolean>(`Boolean(${expression})`), expression);
  const say = async (content: string): Promise<number> => {
    const message = { conversationId, clientMessageId: crypto.randomUUID(), content, respond: false };
    return (await other.ask('message:send', message)).message.seq;
  };
  const ask = async (model: string): Promise<string> => {
    const question = { conversationId, clientMessageId: crypto.randomUUID(), content: 'go', model };
    return (await other.ask('message:send', question)).streamId as string;
  };
  const history = async (): Promise<Message[]> =>
    (await other.ask('message:history', { conversationId, afterSeq: 0, limit: 200 })).messages;

  test('connects, and says who it is', async () => {
    const printed: string[] = [];
    mine.page.on('console', (message) => printed.push(message.text()));
    await mine.run(sample('Connect with Socket.IO').replace(SAMPLE_URL, proxy.url), 'socket');
    await eventually(() => printed.includes('I am me'), 'the name of the user');
    expect(await mine.get('localStorage.deviceId')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('gets a guest token, and renews it', async () => {
    await mine.run(sample('Get a token as a guest'), 'userId', 'token');
    const first = await mine.get('userId');
    expect(first).toMatch(/^guest:/);
    await mine.run(sample('Get a token as a guest'), 'userId');
    expect(await mine.get('userId')).toBe(first);
  });

  test('replaces a token before it expires, without a reconnect', async () => {
    const names = { short: await tokenFor('me', {}, '30s'), fresh: await tokenFor('me', {}, '2h') };
    await mine.run(`Object.assign(globalThis, ${JSON.stringify(names)}, { freshToken: async () => fresh });
      socket.auth.token = short; globalThis.ids = new Set(); socket.on('connect', () => ids.add(socket.id));`);
    await mine.run(sample('What to do when the token expires'));
    await connect();
    await until('socket.auth.token === fresh');
    await mine.run("globalThis.end = (await socket.emitWithAck('auth:refresh', { token: fresh })).expiresAt");
    expect(await mine.get('ids.size')).toBe(1);
  });

  test.each([
    ['is refused with', '-1s'],
    ['is closed with', '1s'],
  ])('connects again when it %s an expired token', async (_how, lifetime) => {
    const names = { old: await tokenFor('me', {}, lifetime), fresh: await tokenFor('me') };
    await mine.run(`Object.assign(globalThis, ${JSON.stringify(names)}, { freshToken: async () => fresh });
      socket.auth.token = old; socket.on('auth:expiring', () => {});`);
    await mine.run(sample('What to do when the token expires (2)'));
    await mine.run('socket.connect()');
    await until('socket.connected && socket.auth.token === fresh');
  });

  test('creates a conversation', async () => {
    await connect();
    await mine.run(sample('Create or open a conversation'), 'conversationId', 'ack');
    expect(await mine.get('ack.conversation.id === conversationId && ack.members[0].role')).toBe('owner');
  });

  test('asks a question, and shows its answer', async () => {
    await join();
    await mine.run(sample('Ask a question and show the answer'));
    await until('shown.length === 2');
    const [question, answer] = await mine.get<Message[]>('shown');
    expect(question?.content).toBe('Why is the sky blue?');
    expect(answer?.content).toBe(wordsText(60));
    expect(await mine.get(`texts[${JSON.stringify(answer?.streamId)}]`)).toBe(wordsText(60));
  });

  test('sends a message once over a lost connection', async () => {
    await join();
    const module = mine.run(sample('Send a message again safely after a timeout'), 'message', 'send');
    proxy.cut();
    await until('!socket.connected');
    proxy.mend();
    await module;
    await expect(
      mine.run("await send({ conversationId, clientMessageId: 'x', content: '' })"),
    ).rejects.toThrow('content');
    const stored = (await history()).filter(({ role }) => role === 'user');
    expect(stored.map(({ content }) => content)).toEqual(['Hello!']);
    expect(await mine.get('message.seq')).toBe(stored[0]?.seq);
  });

  test('talks without an answer', async () => {
    await connect();
    await mine.run(sample('Talk to people without an AI answer'));
    const { streamId, content } = await other.waitFor('message:new');
    expect([content, streamId]).toEqual(['Lunch?', undefined]);
  });

  test('stops an answer', async () => {
    await connect();
    await mine.run(`globalThis.streamId = (await socket.emitWithAck('message:send',
      { conversationId, clientMessageId: 'q', content: 'go' })).streamId`);
    await mine.run(sample('Stop an answer'));
    await other.waitFor('stream:chunk', ({ type }) => type === 'cancelled');
  });

  test('loads older messages', async () => {
    for (const content of ['1', '2', '3']) await say(content);
    await connect();
    await mine.run('globalThis.oldest = { seq: 3 }');
    await mine.run(sample('Load older messages'), 'messages', 'hasMore');
    expect(await mine.get('messages.map(({ seq }) => seq)')).toEqual([1, 2]);
    expect(await mine.get('hasMore')).toBe(false);
  });

  test.each(['websocket', 'polling'])(
    'has the whole text after joins in the middle of an answer, by %s',
    async (transport) => {
      const text = wordsText(400);
      const code = sample('Survive a reload in the middle of an answer');
      const streamId = await ask(LONG);
      await other.waitFor('stream:chunk');
      await mine.run('globalThis.all = []');
      const readers = Array.from({ length: 6 }, () => {
        const socket = `client(token, { forceNew: true, transports: ['${transport}'] })`;
        return mine.run(`const socket = ${socket}; const texts = {}; all.push(texts);
        const showAnswer = (id, text) => (texts[id] = text);
        const appendToAnswer = (id, text) => (texts[id] += text);
        ${code}
        socket.connect();`);
      });
      await Promise.all(readers);
      await other.waitFor('message:new', (message) => message.streamId === streamId);
      await until(
        `all.length === 6 && all.every((texts) => texts['${streamId}'] === ${JSON.stringify(text)})`,
      );
    },
  );

  test('catches up over pages and a lost connection, and shows each message once', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, n) => say(String(n))));
    await mine.run(sample('Catch up after a lost connection'));
    await mine.run('socket.connect()');
    await until('shown.length === 60');
    proxy.cut();
    await until('!socket.connected');
    await Promise.all(Array.from({ length: 60 }, (_, n) => say(String(n))));
    proxy.mend();
    await until('shown.length === 120');
    expect(await mine.get('shown.map(({ seq }) => seq)')).toEqual(
      Array.from({ length: 120 }, (_, i) => i + 1),
    );
  });

  test('replaces a connection that died while nobody looked', async () => {
    await connect();
    await until("socket.io.engine.transport.name === 'websocket'");
    await mine.run(sample('Notice a dead connection after sleep or in a background tab'));
    proxy.freeze();
    await mine.run("document.dispatchEvent(new Event('visibilitychange'))");
    await eventually(() => mine.get<boolean>('!socket.connected'), 'the end of the dead connection', 10_000);
    // Those that the browser keeps for requests died, too.
    proxy.cut();
    proxy.mend();
    await until('socket.connected');
  });

  test('fills a gap in an answer', async () => {
    const reload = sample('Survive a reload in the middle of an answer');
    await mine.run(`${reload}\n${sample('Fill a hole in an answer')}`, 'answers');
    // Chunks 5 to 9 are lost on the way.
    await mine.run(`const onevent = socket.onevent;
      socket.onevent = (packet) => {
        const [event, { sequence } = {}] = packet.data;
        if (event !== 'stream:chunk' || sequence < 5 || sequence > 9) onevent.call(socket, packet);
      };
      await connected(socket);`);
    await until('socket.connected');
    await mine.run("await socket.emitWithAck('conversation:join', { conversationId })");
    const streamId = await ask(SLOW);
    await other.waitFor('message:new', (message) => message.streamId === streamId);
    await until(`texts['${streamId}'] === ${JSON.stringify(wordsText(60))}`);
  });

  test('gets the messages that came while it was away, and empties the queue', async () => {
    await say('missed');
    await mine.run(`globalThis.receive = show;\n${sample('Get missed messages that came while I was away')}`);
    await connect();
    await until("shown.some(({ content }) => content === 'missed')");
    await other.waitFor(
      'message:receipt',
      ({ userId, deliveredSeq }) => userId === 'me' && deliveredSeq === 1,
    );
  });

  test('sends and shows read receipts', async () => {
    await mine.run(`globalThis.lastSeq = ${await say('read me')}; globalThis.receipts = [];
      globalThis.showReceipt = (...receipt) => receipts.push(receipt);`);
    await join();
    await mine.run(sample('Show read receipts'));
    await other.waitFor('message:receipt', ({ userId, readSeq }) => userId === 'me' && readSeq === 1);
    await other.ask('message:ack', { conversationId, seq: 1, read: true });
    await until("receipts.some(([userId, , readSeq]) => userId === 'other' && readSeq === 1)");
  });

  test('shows who is online, and sets its own status', async () => {
    await mine.run('globalThis.draw = () => {}');
    await mine.run(sample('Show who is online'), 'people');
    await connect();
    await until("people.get('other')?.status === 'online'");
    await other.ask('presence:update', { status: 'away' });
    await until("people.get('other')?.status === 'away'");
    await mine.run(sample('Set my own status: busy, away or invisible'));
    const { metadata } = await other.waitFor('presence:update', ({ status }) => status === 'busy');
    expect(metadata).toEqual({ text: 'in a meeting' });
    await other.ask('presence:update', { status: 'online' });
  });

  test('sends and shows typing', async () => {
    await join();
    await mine.run(sample('Show and send typing indicators'), 'typing');
    await mine.page.fill('#input', 'Hel');
    await other.waitFor('typing:update', ({ userId, isTyping }) => userId === 'me' && isTyping);
    await mine.page.fill('#input', '');
    await other.waitFor('typing:update', ({ userId, isTyping }) => userId === 'me' && !isTyping);
    await other.ask('typing:start', { conversationId });
    await until("typing.has('other')");
    await other.ask('typing:stop', { conversationId });
    await until("!typing.has('other')");
  });

  test('hears announcements', async () => {
    await mine.run('globalThis.banner = (text) => (globalThis.announced = text)');
    await mine.run(sample('Hear announcements: subscribe to topics'));
    await connect();
    await mine.run("await socket.emitWithAck('ping')");
    const response = await fetch(`${server.url}/api/ws/topics/maintenance/messages`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${await tokenFor('root', { roles: ['admin'] })}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({ content: 'Back soon' }),
    });
    expect(response.status).toBe(200);
    await until("globalThis.announced === 'Back soon'");
  });

  test('lets others in', async () => {
    await mine.run("globalThis.userId = 'guest:new'; globalThis.conversationId = `${conversationId}-own`;");
    await join();
    await mine.run(sample('Let others into a conversation'));
    await mine.run("globalThis.ack = await socket.emitWithAck('conversation:join', { conversationId })");
    expect(await mine.get('ack.conversation.access')).toBe('link');
    expect(await mine.get('ack.members.map(({ userId }) => userId)')).toEqual(['me', 'guest:new']);
  });

  test('retries what may be retried, and tells the user the rest', async () => {
    await connect();
    const retry = sample('Retry, or tell the user?');
    await mine.run(`globalThis.alert = (text) => (globalThis.told = text);
      globalThis.message = { conversationId: 'nowhere', clientMessageId: 'a', content: 'Hi' };`);
    await mine.run(retry);
    expect(await mine.get('told')).toContain('Not found');
    await mine.run(`globalThis.sendAgain = () => (globalThis.sentAgain = true);
      const overloaded = { ok: false, error: { code: 'overloaded', retryable: true, retryAfterMs: 1 } };
      globalThis.socket = { emitWithAck: async () => overloaded };`);
    await mine.run(retry);
    await until('globalThis.sentAgain');
  });

  describe('over HTTP', () => {
    test('reads by EventSource over cuts, an error status and a new ticket', async () => {
      const streamId = await ask(SLOW);
      const tickets: string[] = [];
      await mine.page.route('**/sse?*', (route) => {
        tickets.push(route.request().url());
        return tickets.length === 1 ? route.fulfill({ status: 503 }) : route.continue();
      });
      await mine.run(`globalThis.streamId = '${streamId}'`);
      await mine.run(sample('Stream an answer with Server-Sent Events'));
      await until(`texts['${streamId}']?.length > 20`);
      proxy.cut();
      proxy.mend();
      await until(`texts['${streamId}'] === ${JSON.stringify(wordsText(60))}`);
      expect(tickets.length).toBeGreaterThanOrEqual(2);
    });

    test('stops reading by EventSource where the answer cannot be read', async () => {
      await mine.run(`globalThis.streamId = crypto.randomUUID();
        globalThis.showError = (text) => (globalThis.told = text);`);
      await mine.run(sample('Stream an answer with Server-Sent Events'));
      expect(await mine.get('told')).toContain('Not found');
    });

    test('reads NDJSON over cuts, without async iteration of streams (Safari has none)', async () => {
      const streamId = await ask(SLOW);
      await mine.run(
        'delete ReadableStream.prototype[Symbol.asyncIterator]; delete ReadableStream.prototype.values;',
      );
      await mine.run(`globalThis.streamId = '${streamId}'`);
      const reading = mine.run(sample('Stream an answer as NDJSON, one JSON a line'), 'last', 'readAnswer');
      await until(`texts['${streamId}']?.length > 20`);
      proxy.cut();
      proxy.mend();
      await reading;
      expect(await mine.get(`texts['${streamId}']`)).toBe(wordsText(60));
      expect(await mine.get('last.type')).toBe('complete');
      await expect(mine.run('await readAnswer(crypto.randomUUID())')).rejects.toThrow('Not found');
    });
  });

  test('every JavaScript sample of the page has run', () => {
    expect([...covered].toSorted()).toEqual(SAMPLES.map(({ title }) => title).toSorted());
  });
});
