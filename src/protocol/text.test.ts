import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cleanText,
  codePoints,
  isCleanText,
  isClientMessageId,
  isConversationId,
  isMetadata,
  isUserId,
} from './text.js';

/** Any UTF-16 at all: lone surrogates and control characters among it. */
const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
});
const isControl = (code: number): boolean =>
  (code < 0x20 && ![9, 10, 13].includes(code)) || (code >= 0x7f && code <= 0x9f);

test('Clean text has no lone surrogates and no controls but tab, line feed and carriage return', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const codes = Array.from(text, (character) => character.codePointAt(0) as number);
      const isBad = codes.some((code) => isControl(code) || (code >= 0xd800 && code <= 0xdfff));
      expect(isCleanText(text)).toBe(!isBad);
    }),
    { numRuns: 2000 },
  );
  for (let code = 0; code < 0x100; code += 1) {
    expect(isCleanText(String.fromCharCode(code)), String(code)).toBe(!isControl(code));
  }
});

test('What is cleaned is clean, as long as before, and unchanged where it was clean', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const cleaned = cleanText(text);
      expect(isCleanText(cleaned)).toBe(true);
      expect(cleaned).toHaveLength(text.length);
      expect(cleaned === text).toBe(isCleanText(text));
    }),
    { numRuns: 2000 },
  );
});

test('Code points are counted, not code units', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(codePoints(text)).toBe(Array.from(text).length);
    }),
  );
});

test.each<[string, (value: unknown) => boolean, unknown[], unknown[]]>([
  [
    'A conversation id is 1 to 128 of A-Za-z0-9._:-',
    isConversationId,
    ['a', 'A.z_0:9-', 'x'.repeat(128)],
    ['', 'a b', 'a/b', 'a\n', '\na', 'ä', 'a\u0000', 'x'.repeat(129), ['a'], 1, null, undefined, {}],
  ],
  [
    'A clientMessageId is 1 to 128 printable ASCII characters',
    isClientMessageId,
    ['a', ' ', '~', 'x'.repeat(128)],
    ['', 'ä', '\t', 'a\n', '\u007f', 'x'.repeat(129), ['a'], 1, null],
  ],
  [
    'A user id is 1 to 256 characters on one line',
    isUserId,
    ['a', 'guest:x', 'Zoë 😀', 'x'.repeat(256)],
    ['', 'a\nb', 'a\tb', 'a\r', 'a\u0000', '\ud800', 'x'.repeat(257), 1, null],
  ],
  [
    'Metadata is an object at most 4 deep and 4 KiB, of clean text',
    isMetadata,
    [{}, { a: { b: { c: { d: null } } } }, { a: [[[1]]] }, { a: 'x'.repeat(4088) }, { constructor: 1 }],
    [
      ...[null, [], 'x', 1, undefined],
      ...[{ a: { b: { c: { d: {} } } } }, { a: [[[[]]]] }, { a: 'x'.repeat(4089) }, { a: 'ü'.repeat(2045) }],
      ...[{ a: '\u0000' }, { '\u0000': 1 }, { a: ['\ud800'] }, { a: { b: '\u009f' } }],
    ],
  ],
])('%s', (_rule, accepts, good, bad) => {
  for (const value of good) expect(accepts(value), JSON.stringify(value)).toBe(true);
  for (const value of bad) expect(accepts(value), JSON.stringify(value)).toBe(false);
});
