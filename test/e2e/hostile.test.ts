import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { RawWebSocket, textFrame } from '../fuzz/frames.js';
import { TestClient, tokenFor, type ClientOptions } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { startPeers, type Peers } from '../support/peer.js';

/** Of the event gate: handled at once, and waiting beside them. */
const GATE = { running: 8, waiting: 500 };
/** More than any client needs. */
const MANY_CONNECTS = 200;
const PING = 9;

let next: Peers;
const raws: RawWebSocket[] = [];
const clients: TestClient[] = [];

beforeAll(async () => {
  next = await startPeers({ RATE_LIMIT_ENABLED: 'false' });
});
afterAll(() => next.stop());
beforeEach(() => next.begin());
afterEach(async () => {
  await next.expectUnharmed();
  for (const raw of raws.splice(0)) raw.cut();
  for (const client of clients.splice(0)) client.close();
});

async function raw(): Promise<RawWebSocket> {
  const opened = await RawWebSocket.open(next.server.url);
  raws.push(opened);
  return opened;
}

/** Opens engine.io's connection by long polling. `post` gives the status; 400 when there is no such connection any more. */
async function openPolling() {
  const address = `${next.server.url}${SOCKET_PATH}/?EIO=4&transport=polling`;
  const text = async (url: string): Promise<string> => (await fetch(url)).text();
  const { sid } = JSON.parse((await text(address)).slice(1)) as { sid: string };
  const mine = `${address}&sid=${sid}`;
  const post = async (packets: readonly string[]): Promise<number> =>
    (await fetch(mine, { method: 'POST', body: packets.join('\x1e') })).status;
  return { post, poll: () => text(mine) };
}

async function connect(userId: string, options: ClientOptions = {}): Promise<TestClient> {
  const client = await TestClient.connect(next.server.url, userId, options);
  clients.push(client);
  return client;
}

const count = (text: string, part: string): number => text.split(part).length - 1;

async function metric(name: string, labels: Record<string, string> = {}): Promise<number> {
  return sumOf(await scrape(next.server.url), name, labels);
}

describe('A transport carries one connection', () => {
  test('of several that are asked for at once none is made, and no place is kept (P7)', async () => {
    const one = await openPolling();
    const asking = `40${JSON.stringify({ token: await tokenFor('mallory') })}`;
    await one.post([asking, asking]);
    expect(await one.poll()).not.toContain('40{');
    await eventually(async () => (await one.post(['3'])) === 400, 'the end of the transport');
    await eventually(async () => (await metric('streamgate_connections')) === 1, 'only the peer is there');
    await connect('mallory');
  });

  test('a client that connects again and again without success is closed, with and without an existing namespace (P7, P11)', async () => {
    for (const [asking, refusal] of [
      [`40/${'x'.repeat(5000)},`, '"code":"not_found"'],
      ['40{"token":"wrong"}', 'unauthenticated'],
    ] as const) {
      const one = await raw();
      for (let n = 0; n < MANY_CONNECTS && !one.isClosing; n += 1) {
        one.send([textFrame(asking)]);
        await eventually(() => one.isClosing || count(one.text, refusal) > n, 'an answer or the end');
      }
      expect(one.isClosing).toBe(true);
      expect(count(one.text, refusal)).toBeGreaterThan(1);
    }
  });

  test('a client that was refused brings another token on the same one, and the refusal is counted', async () => {
    const refusals = () => metric('streamgate_handshake_refusals_total', { code: 'unauthenticated' });
    const before = await refusals();
    const one = await raw();
    one.send([textFrame('40{"token":"wrong"}')]);
    await eventually(() => one.text.includes('"code":"unauthenticated"'), 'the refusal');
    await one.connect(await tokenFor('carol'));
    expect(one.text).toContain('connection:status');
    expect((await refusals()) - before).toBe(1);
  });
});

test('A flood of pings whose pongs are not read is not kept (P7)', async () => {
  const FLOOD = 300_000;
  const eve = await connect('eve');
  await eve.ask('conversation:join', { conversationId: 'pings', access: 'link' });
  const one = await raw();
  await one.connect(await tokenFor('eve'));
  one.socket.pause();
  const pings = Array.from({ length: 2000 }, () => ({ ...textFrame('x'.repeat(125)), opcode: PING }));
  for (let sent = 0; sent < FLOOD; sent += pings.length) {
    one.send(pings);
    if (one.socket.writableNeedDrain) await new Promise((resolve) => one.socket.once('drain', resolve));
  }
  const last = { conversationId: 'pings', clientMessageId: 'last', content: 'All sent.', respond: false };
  one.send([textFrame(`42${JSON.stringify(['message:send', last])}`)]);
  await eve.waitFor('message:new', ({ clientMessageId }) => clientMessageId === 'last');
  const closed = new Promise((resolve) => one.socket.once('close', resolve));
  one.socket.removeAllListeners('data').resume();
  // What the network holds comes, and nothing behind it.
  await eve.ask('message:send', { ...last, clientMessageId: 'bye' });
  one.send([{ ...textFrame(''), opcode: 8 }]);
  await closed;
  expect(one.socket.bytesRead).toBeLessThan((FLOOD * 127) / 2);
});

test('A body of long polling with more packets than any client gathers ends its connection (P7)', async () => {
  const statusAfter = async (packets: number): Promise<number> => {
    const one = await openPolling();
    await one.post(Array.from({ length: packets }, () => '3'));
    return one.post(['3']);
  };
  expect([await statusAfter(2000), await statusAfter(2001)]).toEqual([200, 400]);
});

test('A thousand stream:recover at once: 8 are read, 500 wait, each other one is refused with a time to wait and counted (P7, P11)', async () => {
  // Of a WebSocket one event is taken in each turn: so many do not come to wait.
  const eve = await connect('eve', { transports: ['polling'] });
  await eve.ask('conversation:join', { conversationId: 'recovers' });
  const question = { conversationId: 'recovers', clientMessageId: 'q', content: 'Go.' };
  const { streamId = '' } = await eve.ask('message:send', question);
  await eve.waitFor('message:new', (message) => message.streamId === streamId);
  const refusals = () => metric('streamgate_rate_limit_refusals_total', { limit: 'events_waiting' });
  const before = await refusals();
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => eve.raw('stream:recover', { streamId, fromSequence: 0 })),
  );
  const refused = answers.flatMap((answer) => (answer.ok ? [] : [answer.error]));
  expect(1000 - refused.length).toBeGreaterThanOrEqual(GATE.running + GATE.waiting);
  expect(refused.length).toBeGreaterThan(0);
  for (const error of refused) expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: 1000 });
  expect((await refusals()) - before).toBe(refused.length);
  expect(eve.socket.connected).toBe(true);
});

test('Joins of ever new ids end at 256, also all at once, and leaving one makes room for one (P7)', async () => {
  const eve = await connect('eve');
  const join = (n: number) => eve.raw('conversation:join', { conversationId: `eve-${n}` });
  const answers = await Promise.all(Array.from({ length: 400 }, (_, n) => join(n)));
  const refused = answers.flatMap((answer) => (answer.ok ? [] : [answer.error.code]));
  expect(refused).toEqual(Array.from({ length: 144 }, () => 'conflict'));
  expect((await join(1000)).ok).toBe(false);
  await eve.ask('conversation:leave', { conversationId: `eve-${answers.findIndex(({ ok }) => ok)}` });
  expect((await join(1000)).ok).toBe(true);
});

test('Twenty connections that send the same message twenty times each: one message, and one answer (P2)', async () => {
  const eves = await Promise.all(Array.from({ length: 19 }, () => connect('eve')));
  await eves[0]?.ask('conversation:join', { conversationId: 'once' });
  const same = { conversationId: 'once', clientMessageId: 'same', content: 'Once?' };
  const sends = eves.flatMap((eve) => Array.from({ length: 20 }, () => eve.ask('message:send', same)));
  const answers = await Promise.all(sends);
  expect(
    new Set(answers.map(({ message, streamId }) => `${message.id} ${message.seq} ${streamId}`)).size,
  ).toBe(1);
  expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
  await eves[0]?.waitFor('message:new', ({ role }) => role === 'assistant');
  const { messages } = await (eves[0] as TestClient).ask('message:history', {
    ...{ conversationId: 'once', afterSeq: 0 },
  });
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
});
