import { PacketType, type Packet } from 'socket.io-parser';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ack, SendResult, WireError } from '../../src/protocol/index.js';
import { ERROR_RULES } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { startPeers, type Peers } from '../support/peer.js';
import { POLICY_CALLS } from '../support/policy-calls.js';
import { surface } from '../support/surface.js';

let next: Peers;
let alice: TestClient;
let acks: Map<number, number>;

beforeAll(async () => {
  next = await startPeers({ RATE_LIMIT_ENABLED: 'false' });
});
afterAll(() => next.stop());

beforeEach(async () => {
  await next.begin();
  alice = await TestClient.connect(next.server.url, 'alice');
  await alice.ask('conversation:join', { conversationId: 'room' });
  acks = new Map();
  alice.socket.io.on(
    'packet' as 'open',
    ((packet: Packet) => {
      if (packet.type !== PacketType.ACK) return;
      const id = packet.id as number;
      acks.set(id, (acks.get(id) ?? 0) + 1);
    }) as () => void,
  );
});

afterEach(async () => {
  await next.expectUnharmed();
  alice.close();
});

/** The refusal that `answer` is, complete as protocol section 6 has it, with nothing of the server's inside. */
function expectRefusal(answer: Ack<object>): WireError {
  if (answer.ok) return expect.unreachable(`it was accepted: ${JSON.stringify(answer).slice(0, 200)}`);
  const { error } = answer;
  expect(Object.keys(answer)).toEqual(['ok', 'error']);
  const { code, message, retryable, correlationId, details, ...others } = error;
  expect(others).toEqual({});
  expect(message).toMatch(/\S/);
  expect(retryable).toBe(ERROR_RULES[code].retryable);
  expect(correlationId).toMatch(/^[\da-f]{32}$/);
  const faults = code === 'invalid_payload' ? (details as { faults: string[] }).faults : undefined;
  expect(details).toEqual(faults && { faults });
  if (faults) expect(message).toBe(`${faults.join('; ')}.`);
  expect(JSON.stringify(error)).not.toMatch(/node_modules|\bat .*:\d+|select |Error:/);
  return error;
}

/** Sends the event, and gives the code of its one refusal. */
async function codeOf(event: string, ...payload: unknown[]): Promise<string> {
  const { code } = expectRefusal(await alice.raw(event, ...payload));
  // The server answers in order here: another acknowledgement of the same event would have come by now.
  await alice.ask('ping', null);
  expect([...acks.values()]).toEqual([...acks.values()].map(() => 1));
  return code;
}

/** As {@link codeOf}, for an event that no client library would encode. */
async function rawCodeOf(event: string): Promise<string> {
  const id = 100_000 + acks.size;
  const answered = new Promise<Packet>((resolve) => {
    alice.socket.io.on(
      'packet' as 'open',
      ((packet: Packet) => {
        if (packet.type === PacketType.ACK && packet.id === id) resolve(packet);
      }) as () => void,
    );
  });
  const engine = alice.socket.io.engine as unknown as { write: (data: string) => void };
  engine.write(`2${id}${event}`);
  const [answer] = (await answered).data as [Ack<object>];
  return expectRefusal(answer).code;
}

const send = { conversationId: 'room', clientMessageId: 'c1', content: 'Hello', respond: false };
/** JSON with an own key that an object literal would take for the prototype. */
const withProto = (payload: object): unknown =>
  JSON.parse(`{"__proto__":{"admin":true},${JSON.stringify(payload).slice(1)}`);
const nested = (depth: number): unknown => JSON.parse('{"a":'.repeat(depth) + '1' + '}'.repeat(depth));

describe('A payload of the wrong type is invalid_payload on every event', () => {
  const scene = {
    ...{ conversationId: 'room', userId: 'alice', connectionId: '', token: 'a.b.c' },
    streamId: '01890a5d-ac96-774b-bcce-b302099a8057',
  };
  const { payloads } = surface();
  const events = [...payloads.keys()].filter((event) => event !== 'ping');
  const shapes: [string, unknown[]][] = [
    ['null', [null]],
    ['a number', [7]],
    ['a boolean', [true]],
    ['a string', ['room']],
    ['an array', [[{ conversationId: 'room' }]]],
    ['nothing', []],
    ['an empty object', [{}]],
    ['an object of objects', [{ conversationId: { $ne: '' }, streamId: { toString: 'x' } }]],
  ];
  test('but ping, which echoes what it is given', () => {
    expect(payloads.get('ping')).toBeNull();
    expect(events.length).toBeGreaterThan(15);
  });

  test.each(events)('%s', async (event) => {
    const good = POLICY_CALLS[event]?.payload?.(scene) as object;
    for (const [shape, payload] of shapes) {
      expect(await codeOf(event, ...payload), shape).toBe('invalid_payload');
    }
    expect(await codeOf(event, { ...good, extra: 1 }), 'an unknown key').toBe('invalid_payload');
    expect(await codeOf(event, withProto(good)), 'a __proto__ key').toBe('invalid_payload');
    expect(await codeOf(event, good, good), 'two payloads').toBe('invalid_payload');
    expect(await codeOf(event, good, null), 'a payload too many').toBe('invalid_payload');
  });
});

describe('A field that is out of bounds is refused, and nothing is stored', () => {
  const bad: [string, Record<string, unknown>, string?][] = [
    ['content that is empty', { content: '' }],
    ['content that is no text', { content: 5 }],
    ['content with U+0000', { content: 'a\u0000b' }],
    ['content with a bell', { content: 'a\u0007b' }],
    ['content with DEL', { content: 'a\u007fb' }],
    ['content with a C1 control', { content: 'a\u0085b' }],
    ['content with a lone high surrogate', { content: 'a\ud83d' }],
    ['content with a lone low surrogate', { content: '\ude00a' }],
    ['content of 16001 characters', { content: 'x'.repeat(16_001) }, 'payload_too_large'],
    ['content of 16001 code points', { content: '😀'.repeat(16_001) }, 'payload_too_large'],
    ['an id with a slash', { conversationId: 'a/b' }],
    ['an id with a space', { conversationId: 'a b' }],
    ['an id with a line feed at its end', { conversationId: 'room\n' }],
    ['an id of other letters', { conversationId: 'rööm' }],
    ['an id with U+0000', { conversationId: 'room\u0000' }],
    ['an empty id', { conversationId: '' }],
    ['an id of 129 characters', { conversationId: 'x'.repeat(129) }],
    ['an id that is an array', { conversationId: ['room'] }],
    ['a clientMessageId with a line feed', { clientMessageId: 'a\n' }],
    ['a clientMessageId that is not ASCII', { clientMessageId: 'ä' }],
    ['a clientMessageId of 129 characters', { clientMessageId: 'x'.repeat(129) }],
    ['a clientMessageId that is a number', { clientMessageId: 1 }],
    ['metadata that is an array', { metadata: [] }],
    ['metadata that is null', { metadata: null }],
    ['metadata that is text', { metadata: '{}' }],
    ['metadata 5 deep', { metadata: nested(5) }],
    ['metadata 40 deep', { metadata: nested(40) }],
    ['metadata of more than 4 KiB', { metadata: { a: 'x'.repeat(4096) } }],
    ['metadata with U+0000 in a value', { metadata: { a: '\u0000' } }],
    ['metadata with a lone surrogate in a key', { metadata: { '\ud800': 1 } }],
    ['respond that is text', { respond: 'false' }],
    ['respond that is null', { respond: null }],
    ['a provider that there is not', { respond: true, provider: 'nobody' }],
    ['a model that is not offered', { respond: true, model: 'other' }],
    ['a provider with a control character', { respond: true, provider: 'guide\u0000' }],
  ];
  test('message:send', async () => {
    for (const [what, fields, code = 'invalid_payload'] of bad) {
      expect(await codeOf('message:send', { ...send, ...fields }), what).toBe(code);
    }
    expect(await alice.ask('message:history', { conversationId: 'room', afterSeq: 0 })).toEqual({
      ...{ ok: true, messages: [], hasMore: false },
    });
  });

  test('positions, limits and ids of the other events', async () => {
    const room = { conversationId: 'room' };
    const wrong: [string, object][] = [
      ...[-1, 1.5, '1', null, 1e300, Number.MAX_SAFE_INTEGER + 1].flatMap((position): [string, object][] => [
        ['conversation:join', { ...room, afterSeq: position }],
        ['message:history', { ...room, afterSeq: position }],
        ['message:ack', { ...room, seq: position }],
      ]),
      ...[0, 201, -1, 0.5, '50'].map((limit): [string, object] => ['message:history', { ...room, limit }]),
      ['message:history', { ...room, beforeSeq: 0 }],
      ['message:history', { ...room, afterSeq: 1, beforeSeq: 3 }],
      ['message:ack', { ...room, seq: 0 }],
      ['message:ack', { ...room, seq: 1, read: 1 }],
      ['conversation:join', { ...room, access: 'everybody' }],
      ['stream:cancel', { streamId: 'x' }],
      ['stream:cancel', { streamId: `01890a5d-ac96-774b-bcce-b302099a8057'; drop table streams` }],
    ];
    for (const [event, payload] of wrong) {
      expect(await codeOf(event, payload), `${event} ${JSON.stringify(payload)}`).toBe('invalid_payload');
    }
  });

  test('What is just inside the bounds is accepted', async () => {
    const content = `${'😀'.repeat(15_997)}\t\r\n`;
    const metadata = { a: { b: { c: { d: null } } }, __proto: 1, constructor: 'x' };
    const clientMessageId = ` ${'~'.repeat(127)}`;
    const conversationId = `Az09._:-${'x'.repeat(120)}`;
    await alice.ask('conversation:join', { conversationId });
    const { message } = await alice.ask('message:send', {
      ...{ conversationId, clientMessageId, content, metadata, respond: false },
    });
    expect(message).toMatchObject({ seq: 1, content, metadata, clientMessageId });
  });
});

describe('Events that are none', () => {
  test.each([
    'nope',
    'error',
    'message:new',
    '',
    ' ',
    '__proto__',
    'constructor',
    'toString',
    'x'.repeat(5000),
    '\ud800',
  ])('An event named %j is invalid_payload', async (event) => {
    expect(await codeOf(event, { conversationId: 'room' })).toBe('invalid_payload');
    expect(await codeOf(event)).toBe('invalid_payload');
  });

  test('An event whose name is a number is invalid_payload', async () => {
    expect(await codeOf(7 as unknown as string, {})).toBe('invalid_payload');
  });

  test('Bad events without an acknowledgement are dropped', async () => {
    alice.socket.emit('nope', 1);
    alice.socket.emit('error', new Error('boom'));
    alice.socket.emit('message:send', null);
    alice.socket.emit('message:send', { ...send, content: 'x'.repeat(70_000) });
    expect(await alice.ask('ping', 1)).toMatchObject({ echo: 1 });
    expect(alice.heard.map(({ event }) => event)).not.toContain('exception');
  });
});

describe('Events that are too large', () => {
  test('An event above MAX_PAYLOAD_BYTES is acked payload_too_large, and the connection goes on', async () => {
    expect(await codeOf('message:send', { ...send, content: 'x'.repeat(65_536) })).toBe('payload_too_large');
    expect(await codeOf('message:send', { ...send, content: 'ä'.repeat(33_000) })).toBe('payload_too_large');
    expect(await codeOf('ping', 'x'.repeat(66_000))).toBe('payload_too_large');
    expect(await codeOf('nope', 'x'.repeat(66_000))).toBe('invalid_payload');
    expect(alice.socket.connected).toBe(true);
  });

  test('An event above four times MAX_PAYLOAD_BYTES closes the transport', async () => {
    const closed = new Promise((resolve) => alice.socket.once('disconnect', resolve));
    alice.socket.emit('ping', 'x'.repeat(4 * 65_536 + 1));
    expect(await closed).toMatch(/transport (close|error)/);
  });

  test('Binary payloads close the transport', async () => {
    const closed = new Promise((resolve) => alice.socket.once('disconnect', resolve));
    alice.socket.emit('message:send', { ...send, content: Buffer.from('binary') });
    expect(await closed).toMatch(/transport (close|error)/);
  });

  test('A payload that is nested thirty thousand deep is invalid_payload', async () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const objects = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
    expect(await rawCodeOf(`["ping",${deep}]`)).toBe('invalid_payload');
    expect(await rawCodeOf(`["nope",${deep}]`)).toBe('invalid_payload');
    const { content, ...rest } = send;
    const message = `${JSON.stringify({ ...rest, content }).slice(0, -1)},"metadata":${objects}}`;
    expect(await rawCodeOf(`["message:send",${message}]`)).toBe('invalid_payload');
    expect(await alice.ask('ping', nested(20))).toMatchObject({ echo: nested(20) });
  });

  test('A good event is accepted after all of them', async () => {
    const sent = (await alice.raw('message:send', { ...send, clientMessageId: 'last' })) as Ack<SendResult>;
    expect(sent).toMatchObject({ ok: true, message: { content: 'Hello' } });
  });
});
