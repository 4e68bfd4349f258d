import { expect, it } from 'vitest';
import { bearerToken } from './bearer.js';

it.each([
  [undefined, undefined],
  ['', undefined],
  ['Basic YTpi', undefined],
  ['Bearerabc', undefined],
  ['Bearer', ''],
  ['Bearer   ', ''],
  ['Bearer abc', 'abc'],
  ['bearer  abc ', 'abc'],
  ['Bearer a b', 'a b'],
])('the header %j holds the token %j', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});
