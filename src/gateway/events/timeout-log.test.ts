import { expect, test } from 'vitest';
import { TimeoutLog } from './timeout-log.js';

test('Of many time-outs one a second is written, with how many were not (P7)', () => {
  const written: object[] = [];
  let now = 0;
  const log = new TimeoutLog(
    (fields) => written.push(fields),
    () => now,
  );
  for (const event of ['first', 'second', 'third']) log.add({ event });
  now = 999;
  log.add({ event: 'fourth' });
  now = 1000;
  log.add({ event: 'fifth' });
  expect(written).toEqual([
    { event: 'first', unwritten: 0 },
    { event: 'fifth', unwritten: 3 },
  ]);
});
