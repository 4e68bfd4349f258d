import { assert, integer, nat, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, toCursorPage } from './cursor-page.js';
import { DomainError } from './domain-error.js';

const isDigits = (part: string): boolean => /^\d+$/.test(part);
const isWord = (part: string): boolean => /^[a-z]+$/.test(part);

describe('toCursorPage', () => {
  it.each([
    [[], 2, { items: [] }],
    [['a'], 2, { items: ['a'] }],
    [['a', 'b'], 2, { items: ['a', 'b'] }],
    [['a', 'b', 'c'], 2, { items: ['a', 'b'], nextCursor: 'after b' }],
    [['', ''], 1, { items: [''], nextCursor: 'after ' }],
  ])('makes of %j with the limit %d: %j', (found, limit, page) => {
    expect(toCursorPage(found, limit, (last) => `after ${last}`)).toEqual(page);
  });

  it('goes through a list of any length without gap or repeat', () => {
    assert(
      property(nat(50), integer({ min: 1, max: 10 }), (length, limit) => {
        const list = Array.from({ length }, (_, index) => index + 1);
        const read: number[] = [];
        for (let cursor: string | undefined = '0'; cursor !== undefined;) {
          const found = list.filter((item) => item > Number(cursor)).slice(0, limit + 1);
          const page = toCursorPage(found, limit, String);
          read.push(...page.items);
          cursor = page.nextCursor;
        }
        expect(read).toEqual(list);
      }),
    );
  });
});

describe('decodeCursor', () => {
  it('returns what encodeCursor encoded', () => {
    expect(decodeCursor(encodeCursor(['17', 'room']), [isDigits, isWord])).toEqual(['17', 'room']);
  });

  it.each(['17', '17 room more', 'x room', '17 ROOM', '', ' ', '17 '])('refuses %j', (text) => {
    const decode = () => decodeCursor(Buffer.from(text).toString('base64url'), [isDigits, isWord]);
    expect(decode).toThrow(
      expect.objectContaining({
        code: 'invalid_payload',
        details: { faults: ['cursor must be the nextCursor of the previous page'] },
      }) as DomainError,
    );
  });

  it('refuses any other text with the same error (P11)', () => {
    assert(
      property(string({ unit: 'binary' }), (cursor) => {
        const decode = (): unknown => {
          try {
            return decodeCursor(cursor, [isDigits, isWord]);
          } catch (error) {
            return error;
          }
        };
        expect([Array, DomainError].some((type) => decode() instanceof type)).toBe(true);
      }),
    );
  });
});
