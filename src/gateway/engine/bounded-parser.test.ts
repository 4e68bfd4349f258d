import { Encoder, PacketType, type Packet } from 'socket.io-parser';
import { describe, expect, test } from 'vitest';
import { boundedParser, OVERSIZED, TOO_DEEP } from './bounded-parser.js';

const MAX = 1024;

function decode(...lines: unknown[]): Packet[] {
  const decoder = new (boundedParser(MAX).Decoder)();
  const packets: Packet[] = [];
  decoder.on('decoded', (packet: Packet) => packets.push(packet));
  for (const line of lines) decoder.add(line);
  return packets;
}

/** An event as a client encodes it, of exactly `bytes` bytes. */
function eventOf(bytes: number, letter = 'x'): string {
  const frame = (text: string): string => `27["send",${JSON.stringify(text)}]`;
  const size = Buffer.byteLength(letter);
  return frame(letter.repeat((bytes - Buffer.byteLength(frame(''))) / size));
}

describe('An event', () => {
  test('within the bound passes as it is', () => {
    const packet = decode(eventOf(MAX))[0] as Packet;
    expect(packet).toMatchObject({ type: PacketType.EVENT, id: 7 });
    expect((packet.data as string[])[1]).toMatch(/^x+$/);
  });

  test.each([
    ['one byte above it', eventOf(MAX + 1)],
    ['few characters of many bytes', eventOf(MAX + 2, 'ü')],
  ])('%s keeps its name and acknowledgement, and loses its payload', (_what, line) => {
    expect(decode(line)).toMatchObject([{ id: 7, data: ['send', OVERSIZED] }]);
  });

  test('after a large one is whole', () => {
    expect(decode(eventOf(MAX + 1), '28["ping",1]')[1]).toMatchObject({ id: 8, data: ['ping', 1] });
  });

  test.each([
    [31, true],
    [32, false],
  ])('nested %i deep: %s', (depth, passes) => {
    const packet = decode(`27["ping",${'['.repeat(depth)}${']'.repeat(depth)}]`)[0] as Packet;
    expect((packet.data as unknown[])[1] !== TOO_DEEP).toBe(passes);
  });
});

test('Connecting and acknowledging are not bounded here', () => {
  const [connect, ack] = decode(`0${JSON.stringify({ token: 'x'.repeat(MAX) })}`, `37["${'x'.repeat(MAX)}"]`);
  expect(connect).toMatchObject({ type: PacketType.CONNECT });
  expect(ack).toMatchObject({ type: PacketType.ACK, id: 7 });
});

test.each([
  '51-["send",{"_placeholder":true,"num":0}]',
  '61-7[]',
  Buffer.from('x'),
  'x',
  '2["disconnect"]',
  '2{}',
])('Binary data and malformed packets are refused: %s', (line) => {
  expect(() => decode(line)).toThrow(/not accepted|invalid|unknown|illegal/i);
});

test.each<Packet>([
  { type: PacketType.CONNECT, nsp: '/', data: { sid: 'x' } },
  { type: PacketType.CONNECT_ERROR, nsp: '/other', data: { message: 'no' } },
  { type: PacketType.DISCONNECT, nsp: '/' },
  { type: PacketType.EVENT, nsp: '/', data: ['message:new', { content: 'é"\u2028😀' }] },
  { type: PacketType.EVENT, nsp: '/', id: 0, data: ['queue:deliver', { items: [] }] },
  { type: PacketType.ACK, nsp: '/', id: 12, data: [{ ok: true, message: { seq: 1 }, streamId: undefined }] },
  { type: PacketType.ACK, nsp: '/', id: 3, data: [] },
])('The encoder writes what the ordinary one writes: %j', (packet) => {
  expect(new (boundedParser(MAX).Encoder)().encode(packet)).toEqual(new Encoder().encode(packet));
});
