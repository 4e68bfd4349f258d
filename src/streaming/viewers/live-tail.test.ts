import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Chunk } from '../../protocol/index.js';
import { LiveTail } from './live-tail.js';

function chunk(sequence: number, content = 'x'): Chunk {
  return { streamId: 's', sequence, type: 'content', content, timestamp: '2026-01-01T00:00:00.000Z' };
}

test('holds at most 64 chunks or 64 KiB, or one larger chunk, whatever is heard (P7), and what it gives follows on', () => {
  const heard = fc.record({ sequence: fc.nat({ max: 300 }), length: fc.nat({ max: 70_000 }) });
  fc.assert(
    fc.property(fc.array(heard, { maxLength: 400 }), (all) => {
      const tail = new LiveTail(0);
      for (const { sequence, length } of all) {
        tail.hear(chunk(sequence, 'x'.repeat(length)));
        const next = tail.position;
        const taken = sequence % 7 === 0 ? tail.take() : [];
        expect(taken.map((one) => one.sequence)).toEqual(taken.map((_, index) => next + index));
        expect(taken.length).toBeLessThanOrEqual(64);
        const bytes = taken.reduce((sum, one) => sum + one.content.length, 0);
        expect(taken.length === 1 || bytes <= 65_536).toBe(true);
        const last = taken.at(-1);
        if (last) tail.moveTo(last.sequence + 1);
      }
    }),
    { numRuns: 200 },
  );
});

test('what was forgotten for want of room shows as a gap', () => {
  const tail = new LiveTail(0);
  for (let sequence = 0; sequence <= 64; sequence += 1) tail.hear(chunk(sequence));
  expect(tail.hasGap).toBe(true);
  expect(tail.take()).toEqual([]);
  tail.moveTo(64);
  expect(tail.take()).toEqual([chunk(64)]);
});

test('a chunk that comes behind a gap makes the older ones useless, and one that was there already changes nothing', () => {
  const tail = new LiveTail(3);
  tail.hear(chunk(3));
  tail.hear(chunk(3, 'again'));
  tail.hear(chunk(2));
  expect(tail.take()).toEqual([chunk(3)]);
  tail.moveTo(4);
  tail.hear(chunk(4));
  tail.hear(chunk(6));
  expect(tail.hasGap).toBe(true);
});
