import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { tokenFor } from '../support/client.js';
import { surface } from '../support/surface.js';
import { leakIn } from './answers.js';
import { converse, requestBytes } from './bytes.js';
import { scenario, SCENARIO_TIMEOUT_MS } from './scenario.js';
import { RawWebSocket, textFrame, type Frame } from './frames.js';
import { startTarget, type Target } from './target.js';

const { events } = surface();
const MAX_FRAME_BYTES = 4 * 65_536;

let target: Target;
let token: string;

beforeAll(async () => {
  target = await startTarget();
  token = await tokenFor('mallory');
});
afterAll(() => {
  for (const raw of staying) raw.cut();
  return target.finish();
}, 120_000);

const frame: fc.Arbitrary<Frame> = fc.record(
  {
    fin: fc.boolean(),
    reserved: fc.constantFrom(0, 0, 0, 1, 4, 7),
    opcode: fc.nat({ max: 15 }),
    masked: fc.constantFrom(true, true, true, false),
    payload: fc.oneof(
      fc.constantFrom<string | Uint8Array>(
        '',
        '2',
        '3',
        '3probe',
        '5',
        '40',
        '41',
        'x'.repeat(126),
        new Uint8Array([0xc0, 0x80]),
      ),
      fc.constantFrom<Uint8Array>(
        ...[1000, 1005, 1006, 1015, 0, 65_535].map((code) => new Uint8Array([code >> 8, code & 255])),
      ),
      fc.uint8Array({ maxLength: 200 }),
    ),
    declared: fc.constantFrom(
      0,
      125,
      126,
      65_535,
      65_536,
      MAX_FRAME_BYTES + 1,
      2 ** 31,
      Number.MAX_SAFE_INTEGER,
    ),
  },
  { requiredKeys: ['fin', 'reserved', 'opcode', 'masked', 'payload'] },
);

const JSONS = [
  ...[
    '',
    '[',
    '[]',
    '{}',
    'null',
    '[null]',
    '[7]',
    '[[]]',
    '["ping"]',
    '["ping",1]',
    '["ping",1,2,3]',
    '["disconnect"]',
    '["connect"]',
  ],
  ...[
    '["newListener",1]',
    '["error","x"]',
    '["__proto__",{}]',
    '[{"_placeholder":true,"num":0}]',
    '["ping",{"_placeholder":true,"num":9}]',
  ],
  ...[
    `["ping",${'['.repeat(20_000)}${']'.repeat(20_000)}]`,
    '{"token":7}',
    '{"token":{}}',
    '{"sid":"x","pid":"y"}',
    '"\\ud800"',
    '[1e999]',
  ],
];

/** A packet of Socket.IO within one of engine.io: type, attachments, namespace, acknowledgement, JSON. */
const packet: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('4', '4', '4', '4', '4', '0', '1', '2', '3', '5', '6', '7', 'b', '\u001e', ''),
    fc.constantFrom('0', '1', '2', '2', '2', '3', '4', '5', '6', '7', '9', 'x', ''),
    fc.constantFrom('', '', '', '', '0-', '1-', '99999999-', '-', '1e3-'),
    fc.constantFrom(
      '',
      '',
      '',
      '',
      '/,',
      '/admin,',
      '/__proto__,',
      `/${'x'.repeat(3000)},`,
      '/?a=%',
      '/\u0000,',
    ),
    fc.constantFrom('', '', '1', '0', '99999999999999999999', '-1'),
    fc.oneof(
      fc.constantFrom(...JSONS),
      fc.constantFrom(...events).map((event) => JSON.stringify([event, { conversationId: 'none' }])),
      fc.json(),
      fc.string({ unit: 'binary', maxLength: 50 }).map((text) => text.toWellFormed()),
    ),
  )
  .map((parts) => parts.join(''));

type Step = { frames: Frame[] } | { packets: string[] } | { flood: string; times: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(frame, { minLength: 1, maxLength: 4 }).map((frames): Step => ({ frames })),
  },
  {
    weight: 5,
    arbitrary: fc.array(packet, { minLength: 1, maxLength: 6 }).map((packets): Step => ({ packets })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('40/n,', '43', '41', '2', '3', '42["ping",1]', '423[7,{}]', '421["nope"]', '44{}')
      .map((flood): Step => ({ flood, times: 500 })),
  },
);

const OFFERS: [string, string][][] = [
  [],
  [],
  [['Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits=8; client_no_context_takeover']],
  [['Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits=99']],
  [['Sec-WebSocket-Protocol', 'x, y, '.repeat(50)]],
  [['Sec-WebSocket-Version', '99']],
  [['Sec-WebSocket-Key', 'short']],
  [['Cookie', 'io=1; __proto__=2']],
];

/** A length that is a lie swallows what follows: then there is no answer to wait for. */
function isHonest(steps: readonly Step[]): boolean {
  return steps.every(
    (step) => !('frames' in step) || step.frames.every(({ declared }) => declared === undefined),
  );
}

/** What becomes of a WebSocket when all is sent: it is cut, or stays, half closed, or without having read a byte. */
type Manner = 'cut' | 'half-open' | 'deaf';

interface Visit {
  offer: [string, string][];
  signIn: boolean;
  steps: Step[];
  manner: Manner;
}

const MAX_STAYING = 50;
const staying: RawWebSocket[] = [];

async function play({ offer, signIn, steps, manner }: Visit): Promise<string> {
  const raw = await RawWebSocket.open(target.server.url, offer);
  if (signIn) await raw.connect(token);
  if (manner === 'deaf') raw.socket.pause();
  for (const [index, step] of steps.entries()) {
    if ('frames' in step) raw.send(step.frames);
    else if ('packets' in step) raw.send(step.packets.map(textFrame));
    else
      raw.send(
        Array.from({ length: step.times }, (_, count) =>
          textFrame(step.flood.replace('/n', `/n${index}-${count}`)),
        ),
      );
  }
  if (manner === 'cut') {
    if (isHonest(steps)) await raw.settle();
    raw.cut();
    return raw.text;
  }
  if (manner === 'half-open') raw.socket.end();
  staying.push(raw);
  if (staying.length > MAX_STAYING) staying.shift()?.cut();
  return raw.text;
}

const webSocket: fc.Arbitrary<Visit> = fc.record({
  offer: fc.constantFrom(...OFFERS),
  signIn: fc.boolean(),
  steps: fc.array(step, { maxLength: 5 }),
  manner: fc.constantFrom<Manner>('cut', 'cut', 'cut', 'half-open', 'deaf'),
});

/** One request to a session of long polling; `sid` tells which: one's own, another's, none. */
interface Poll {
  method: string;
  sid: 'own' | 'other' | 'wrong' | 'none';
  transport: string;
  version: string;
  body: string;
  /** Asks for an upgrade to WebSocket on the session. */
  upgrade: boolean;
}

const poll: fc.Arbitrary<Poll> = fc.record({
  method: fc.constantFrom('POST', 'POST', 'GET', 'PUT', 'OPTIONS'),
  sid: fc.constantFrom('own', 'own', 'own', 'other', 'wrong', 'none'),
  transport: fc.constantFrom(
    'polling',
    'polling',
    'polling',
    'websocket',
    'webtransport',
    'pigeon',
    '__proto__',
    'constructor',
    '',
  ),
  version: fc.constantFrom('4', '4', '4', '4', '3', '2', '99', 'x', ''),
  body: fc.oneof(
    fc.array(packet, { maxLength: 8 }).map((packets) => packets.join('\u001e')),
    fc.constantFrom(
      '\u001e'.repeat(5000),
      '2\u001e'.repeat(3000),
      `4${'x'.repeat(70_000)}`,
      'x'.repeat(MAX_FRAME_BYTES + 1),
      'bAAAA',
      '5',
      '1',
      '6',
    ),
  ),
  upgrade: fc.constantFrom(false, false, false, true),
});

function pollBytes(
  { method, sid, transport, version, body, upgrade }: Poll,
  [own, other]: [string, string],
): Buffer {
  const said = { own, other, wrong: 'AAAAAAAAAAAAAAAAAAAA', none: '' }[sid];
  const query = `?EIO=${version}&transport=${transport}${said && `&sid=${said}`}`;
  const key: [string, string][] = [
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
  ];
  const text = method === 'POST' || method === 'PUT' ? Buffer.from(body) : undefined;
  const line = `${method} ${SOCKET_PATH}/${query}`;
  if (!upgrade) return requestBytes(line, [['Content-Type', 'text/plain;charset=UTF-8']], text);
  const upgraded = requestBytes(line, key).toString('latin1');
  return Buffer.from(upgraded.replace('Connection: close', 'Connection: Upgrade'), 'latin1');
}

async function session(): Promise<string> {
  const hello = requestBytes(`GET ${SOCKET_PATH}/?EIO=4&transport=polling`, []);
  const { text } = await converse(target.server.url, [hello]);
  return /"sid":"([^"]+)"/.exec(text)?.[1] ?? 'none';
}

async function playPolls(polls: readonly Poll[]): Promise<string> {
  const sids: [string, string] = [await session(), await session()];
  const isOver = (text: string): boolean => text.includes('\r\n\r\n');
  const heard = await Promise.all(
    polls.map((one) =>
      // A poll of a session that has nothing to say waits for the heartbeat.
      converse(target.server.url, [pollBytes(one, sids)], { enough: isOver }),
    ),
  );
  return heard.map(({ text }) => text).join('\n');
}

test(
  'Whatever bytes come over a WebSocket or by long polling, nobody else notices (P7, P11)',
  async () => {
    const property = fc.asyncProperty(
      fc.array(webSocket, { minLength: 1, maxLength: 6 }),
      fc.array(poll, { maxLength: 8 }),
      async (sockets, polls) => {
        const heard = await Promise.all([...sockets.map(play), playPolls(polls)]);
        expect(heard.map(leakIn).filter((leak) => leak !== null)).toEqual([]);
      },
    );
    const cases = await scenario(property, () => target.check());
    expect(cases).toBeGreaterThan(0);
  },
  SCENARIO_TIMEOUT_MS,
);
