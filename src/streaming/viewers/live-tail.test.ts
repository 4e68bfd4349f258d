import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Chunk } from '../../protocol/index.js';
import { LiveTail } from './live-tail.js';

function chunk(sequence: number, content = 'x'): Chunk {
  return { streamId: 's', sequence, type: 'content', content, timestamp: '2026-01-01T00:00:00.000Z' };
}

test('holds at most 64 chunks or 64 KiB, or one larger chunk, whatever it receives (P7), and returns chunks without gaps', () => {
  const received = fc.record({ sequence: fc.nat({ max: 300 }), length: fc.nat({ max: 70_000 }) });
  fc.assert(
    fc.property(fc.array(received, { maxLength: 400 }), (all) => {
      const tail = new LiveTail(0);
      for (const { sequence, length } of all) {
        tail.receive(chunk(sequence, 'x'.repeat(length)));
        const next = tail.position;
        const consumed = sequence % 7 === 0 ? tail.consume() : [];
        expect(consumed.map((one) => one.sequence)).toEqual(consumed.map((_, index) => next + index));
        expect(consumed.length).toBeLessThanOrEqual(64);
        const bytes = consumed.reduce((sum, one) => sum + one.content.length, 0);
        expect(consumed.length === 1 || bytes <= 65_536).toBe(true);
        const last = consumed.at(-1);
        if (last) tail.moveTo(last.sequence + 1);
      }
    }),
    { numRuns: 200 },
  );
});

test('chunks that were dropped for lack of space show as a gap', () => {
  const tail = new LiveTail(0);
  for (let sequence = 0; sequence <= 64; sequence += 1) tail.receive(chunk(sequence));
  expect(tail.hasGap).toBe(true);
  expect(tail.consume()).toEqual([]);
  tail.moveTo(64);
  expect(tail.consume()).toEqual([chunk(64)]);
});

test('a chunk after a gap replaces the older ones, and a repeated one changes nothing', () => {
  const tail = new LiveTail(3);
  tail.receive(chunk(3));
  tail.receive(chunk(3, 'again'));
  tail.receive(chunk(2));
  expect(tail.consume()).toEqual([chunk(3)]);
  tail.moveTo(4);
  tail.receive(chunk(4));
  tail.receive(chunk(6));
  expect(tail.hasGap).toBe(true);
});
