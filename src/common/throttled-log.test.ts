import { expect, test } from 'vitest';
import { ThrottledLog } from './throttled-log.js';

test('Writes one line a second, with how many were left out (P7)', () => {
  const written: object[] = [];
  let now = 0;
  const log = new ThrottledLog(
    (fields) => written.push(fields),
    () => now,
  );
  for (const event of ['first', 'second', 'third']) log.add({ event });
  now = 999;
  log.add({ event: 'fourth' });
  now = 1000;
  log.add({ event: 'fifth' });
  expect(written).toEqual([
    { event: 'first', suppressed: 0 },
    { event: 'fifth', suppressed: 3 },
  ]);
});
