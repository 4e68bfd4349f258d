import { afterEach, describe, expect, it, vi } from 'vitest';
import { bearerToken, carriesToken } from './bearer.js';

const MANY = 15_500;
const blanks = ' '.repeat(MANY);

afterEach(() => vi.restoreAllMocks());

describe('bearerToken', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    [' \t ', undefined],
    ['Basic YTpi', undefined],
    ['Bearerabc', undefined],
    ['Beare', undefined],
    ['Bearer', ''],
    ['Bearer   ', ''],
    ['Bearer abc', 'abc'],
    [' \tBEARER\tabc\t', 'abc'],
    ['bearer  abc ', 'abc'],
    ['Bearer a b', 'a b'],
    ['Bearer Bearer a', 'Bearer a'],
  ])('finds in the header %j the token %j', (header, token) => {
    expect(bearerToken(header)).toBe(token);
  });

  it.each([
    ['blanks alone', blanks],
    ['blanks before another scheme', `${blanks}x`],
    ['blanks after the scheme', `Bearer${blanks}`],
    ['blanks inside the token', `Bearer a${blanks}b`],
    ['blanks around a token', `${blanks}Bearer${blanks}a${blanks}`],
    ['the scheme again and again', 'Bearer '.repeat(MANY / 5)],
    ['alternating blanks', 'Bearer ' + 'a \t'.repeat(MANY / 3)],
  ])('looks at each character at most twice in %s (P11)', (_, header) => {
    const reads = vi.spyOn(String.prototype, 'charCodeAt');
    bearerToken(header);
    expect(reads.mock.calls.length).toBeLessThanOrEqual(2 * header.length);
  });
});

describe('carriesToken', () => {
  it.each([
    ['Bearer secret', true],
    ['bearer   secret  ', true],
    ['Bearer secret2', false],
    ['Bearer', false],
    ['Basic secret', false],
    [undefined, false],
    [`Bearer secret${blanks}x`, false],
  ])('decides for the header %j: %j', (header, carried) => {
    expect(carriesToken(header, 'secret')).toBe(carried);
  });
});
