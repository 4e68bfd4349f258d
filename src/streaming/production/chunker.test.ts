import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanText } from '../../protocol/index.js';
import { Chunker, type Draft } from './chunker.js';

const TYPES = ['content', 'reasoning', 'progress'] as const;
type TextType = (typeof TYPES)[number];

interface Step {
  type: TextType;
  text: string;
  /** Milliseconds since the step before. */
  after: number;
}

const unit = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'ü', '€', '😀', ' ', '\n') },
  { weight: 1, arbitrary: fc.constantFrom('\u0000', '\u0007', '\ud83d', '\ude00', '👩‍👩‍👧') },
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    type: fc.constantFrom(...TYPES, 'content' as const, 'content' as const),
    text: fc.array(unit, { minLength: 1, maxLength: 30 }).map((units) => units.join('')),
    after: fc.integer({ min: 0, max: 40 }),
  }),
  { maxLength: 30 },
);
const sizes = fc.record({
  maxBytes: fc.integer({ min: 1, max: 40 }),
  maxDelayMs: fc.integer({ min: 0, max: 60 }),
});

/** Plays `input` as the pump does, with its timer. */
function play(input: readonly Step[], options: { maxBytes: number; maxDelayMs: number }): Draft[] {
  const chunker = new Chunker(options);
  const drafts: Draft[] = [];
  let now = 0;
  for (const { type, text, after } of input) {
    now += after;
    drafts.push(...chunker.cutDue(now), ...chunker.push(type, text, now));
  }
  return [...drafts, ...chunker.flush()];
}

/** Adjacent parts of one type joined. */
function runs(parts: readonly { type: string; text: string }[]): [string, string][] {
  const joined: [string, string][] = [];
  for (const { type, text } of parts) {
    const last = joined.at(-1);
    if (last?.[0] === type) last[1] += text;
    else joined.push([type, text]);
  }
  return joined
    .map(([type, text]): [string, string] => [type, cleanText(text)])
    .filter(([, text]) => text !== '');
}

test('Chunks joined are the deltas joined, cleaned, in order and with types never mixed', () => {
  fc.assert(
    fc.property(steps, sizes, (input, options) => {
      const out = play(input, options).map(({ type, content }) => ({ type, text: content }));
      expect(runs(out)).toEqual(runs(input));
    }),
    { numRuns: 1000 },
  );
});

test('A chunk is never empty, never larger than the limit except for one long code point, never cut within one', () => {
  fc.assert(
    fc.property(steps, sizes, (input, options) => {
      for (const { content } of play(input, options)) {
        expect(content).not.toBe('');
        expect(content.isWellFormed()).toBe(true);
        const isOne = Array.from(content).length === 1;
        expect(isOne || Buffer.byteLength(content) <= options.maxBytes).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

test('Due text is cut: nothing waits longer than the delay', () => {
  fc.assert(
    fc.property(steps, sizes, (input, options) => {
      const chunker = new Chunker(options);
      let now = 0;
      for (const { type, text, after } of input) {
        now += after;
        chunker.cutDue(now);
        chunker.push(type, text, now);
        expect(chunker.dueAt ?? Infinity).toBeGreaterThan(now);
        expect(chunker.dueAt ?? 0).toBeLessThanOrEqual(now + options.maxDelayMs);
      }
    }),
    { numRuns: 500 },
  );
});

test('The first delta is a chunk at once; then a chunk is cut at its size or when it is due', () => {
  const chunker = new Chunker({ maxBytes: 4, maxDelayMs: 50 });
  expect(chunker.push('content', 'a', 0)).toEqual([{ type: 'content', content: 'a' }]);
  expect(chunker.push('content', 'b', 1)).toEqual([]);
  expect(chunker.dueAt).toBe(51);
  expect(chunker.cutDue(50)).toEqual([]);
  expect(chunker.push('content', 'cdefg', 2)).toEqual([{ type: 'content', content: 'bcde' }]);
  expect(chunker.dueAt).toBe(52);
  expect(chunker.cutDue(52)).toEqual([{ type: 'content', content: 'fg' }]);
  expect(chunker.dueAt).toBeNull();
});

test('A delta of another type flushes the pending text first', () => {
  const chunker = new Chunker({ maxBytes: 100, maxDelayMs: 50 });
  chunker.push('content', 'x', 0);
  expect(chunker.push('reasoning', 'hm', 1)).toEqual([]);
  expect(chunker.push('content', 'y', 2)).toEqual([{ type: 'reasoning', content: 'hm' }]);
  expect(chunker.flush()).toEqual([{ type: 'content', content: 'y' }]);
});

test('The halves of a split code point are joined; a lone surrogate becomes U+FFFD', () => {
  const chunker = new Chunker({ maxBytes: 100, maxDelayMs: 0 });
  expect(chunker.push('content', '\ud83d', 0)).toEqual([]);
  expect(chunker.push('content', '\ude00', 1)).toEqual([{ type: 'content', content: '😀' }]);
  expect(chunker.push('content', '\ud83d', 2)).toEqual([]);
  expect(chunker.flush()).toEqual([{ type: 'content', content: '\ufffd' }]);
});

test('A large delta is cut into the smallest chunks in linear time', () => {
  const text = 'ü😀'.repeat(100_000);
  const drafts = new Chunker({ maxBytes: 1, maxDelayMs: 0 }).push('content', text, 0);
  expect(drafts).toHaveLength(200_000);
  expect(drafts.map(({ content }) => content).join('')).toBe(text);
});
