import { expect, test } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import { causeOf, reasonOf, toDatabaseError } from './errors.js';

test.each([
  ['too many connections', '53300'],
  ['out of memory', '53200'],
  ['the disk is full', '53100'],
  ['it is starting up', '57P03'],
  ['it is shutting down', '57P01'],
  ['nothing listens', 'ECONNREFUSED'],
  ['the connection is reset', 'ECONNRESET'],
  ['the name is not resolved now', 'EAI_AGAIN'],
  ['a statement took too long', '57014'],
  ['a deadlock', '40P01'],
])(
  'A database that refuses because %s (%s) is a retryable timeout, not a fault of the server',
  (_why, code) => {
    const refusal = Object.assign(new Error('refused'), { code });
    expect(toDatabaseError(refusal)).toMatchObject({ code: 'timeout', retryable: true, cause: refusal });
  },
);

test('All addresses of a host refused are a timeout, too', () => {
  const refusal = Object.assign(new AggregateError([new Error('::1'), new Error('127.0.0.1')]), {
    code: 'ECONNREFUSED',
  });
  expect(toDatabaseError(refusal)).toMatchObject({ code: 'timeout' });
});

test.each(['23505', '42P01', undefined])('An error with the code %s is internal', (code) => {
  expect(toDatabaseError(Object.assign(new Error('a fault'), { code }))).toMatchObject({ code: 'internal' });
});

test('The reason of a failure is told by its code, and its cause in words of a bounded length', () => {
  const full = Object.assign(new Error(`could not extend file: ${'x'.repeat(1000)}`), { code: '53100' });
  expect(reasonOf(toDatabaseError(full))).toBe('disk full, SQLSTATE 53100');
  expect(causeOf(toDatabaseError(full))).toMatch(/^disk full, SQLSTATE 53100: could not extend file: x+$/);
  expect(causeOf(toDatabaseError(full))).toHaveLength(200);
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  expect(reasonOf(refused)).toBe('ECONNREFUSED');
  expect(causeOf(new DomainError('timeout', 'Too slow.'))).toBeUndefined();
});
