import { PacketType, type Packet } from 'socket.io-parser';
import { expect, test } from 'vitest';
import * as ws from 'ws';
import { SHARED, SharedFields, SharedPacket } from '../rooms/shared-fields.js';
import { PacketEncoder } from './packet-encoder.js';

const encoder = new PacketEncoder();
/** Which its types leave out. */
const { Sender } = ws as unknown as { Sender: { frame: (data: Buffer, options: object) => Buffer[] } };

function encode(packet: Omit<Packet, 'nsp'>, nsp = '/'): string | SharedPacket {
  const [text, ...more] = encoder.encode({ nsp, ...packet });
  expect(more).toEqual([]);
  return text as string | SharedPacket;
}

function answerWith(shared: SharedFields<object>, own: object = {}): SharedPacket {
  const packet = encode({ type: PacketType.ACK, id: 7, data: [{ ok: true, ...own, [SHARED]: shared }] });
  expect(packet).toBeInstanceOf(SharedPacket);
  return packet as SharedPacket;
}

test('Packets are those of the protocol', () => {
  expect(encode({ type: PacketType.CONNECT, data: { sid: 'a' } })).toBe('0{"sid":"a"}');
  expect(encode({ type: PacketType.EVENT, data: ['ping', 1] })).toBe('2["ping",1]');
  expect(encode({ type: PacketType.ACK, id: 3, data: [{ ok: true }] })).toBe('33[{"ok":true}]');
  expect(encode({ type: PacketType.ACK, id: 3, data: [] })).toBe('33[]');
  expect(encode({ type: PacketType.DISCONNECT }, '/other')).toBe('1/other,');
});

test('An answer with shared fields is text as it would be without sharing', () => {
  const fields = { members: [{ userId: 'a"b', name: 'é\u2028' }], none: null, gone: undefined };
  const text = answerWith(new SharedFields(fields), { typing: ['x'], 'odd "key"': 1 });
  expect(String(text)).toBe(`37${JSON.stringify([{ ok: true, typing: ['x'], 'odd "key"': 1, ...fields }])}`);
  // As engine.io puts its mark before it.
  expect('4' + (text as unknown as string)).toBe(`4${String(text)}`);
  expect(text.length).toBe(String(text).length);
});

test('What answers share is made into text once', () => {
  let made = 0;
  const shared = new SharedFields({ list: [{ toJSON: () => (made += 1) }] });
  for (let reader = 0; reader < 3; reader += 1)
    expect(String(answerWith(shared, { reader }))).toBe(`37[{"ok":true,"reader":${reader},"list":[1]}]`);
  expect(made).toBe(1);
});

test.each([1, 60, 100, 126, 65_400, 65_500, 65_600, 600_000])(
  'A shared packet of some %i bytes is one WebSocket frame, as ws makes it',
  (size) => {
    const packet = answerWith(new SharedFields({ text: 'é'.repeat(size / 2) }));
    const expected = Sender.frame(Buffer.from(`4${String(packet)}`), {
      ...{ fin: true, opcode: 1, mask: false, readOnly: false, rsv1: false },
    });
    expect(Buffer.concat(packet.frame('4')).equals(Buffer.concat(expected))).toBe(true);
  },
);
