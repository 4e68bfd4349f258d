import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import { LIMITS } from '../../protocol/index.js';
import { Ack } from './ack.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function reply() {
  const answers: object[] = [];
  const faults: string[] = [];
  const outcomes: string[] = [];
  const made = new Ack('message:send', (answer) => answers.push(answer), {
    failed: (_event, error) => faults.push(error.code),
    settled: (outcome) => outcomes.push(outcome),
  });
  return { made, answers, faults, outcomes };
}

test('The acknowledgement is called once, with whatever comes first', () => {
  const { made, answers, outcomes } = reply();
  made.succeed({ seq: 1 });
  made.succeed({ seq: 2 });
  made.fail(new DomainError('not_found', 'No.'));
  vi.advanceTimersByTime(2 * LIMITS.requestTimeoutMs);
  expect(answers).toEqual([{ ok: true, seq: 1 }]);
  expect(outcomes).toEqual(['ok']);
});

test('Who waits too long is answered timeout, and what comes later is dropped', () => {
  const { made, answers, faults, outcomes } = reply();
  vi.advanceTimersByTime(LIMITS.requestTimeoutMs);
  made.succeed({ seq: 1 });
  expect(answers).toMatchObject([{ ok: false, error: { code: 'timeout', retryable: true } }]);
  expect([faults, outcomes]).toEqual([['timeout'], ['timeout']]);
});

test('Nothing of an unknown error is shown (P11)', () => {
  const { made, answers, faults } = reply();
  made.fail(new Error('password=secret at /srv/app.js:1:1'));
  expect(JSON.stringify(answers)).not.toMatch(/secret|srv/);
  expect(answers).toMatchObject([{ ok: false, error: { code: 'internal', retryable: true } }]);
  expect(faults).toEqual(['internal']);
});

test('An event without an acknowledgement is not answered, and its timer ends', () => {
  const made = new Ack('ping', undefined, {
    failed: () => expect.unreachable('nothing failed'),
    settled: (outcome) => expect(outcome).toBe('ok'),
  });
  made.succeed({});
  expect(vi.getTimerCount()).toBe(0);
});
