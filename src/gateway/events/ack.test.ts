import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import { LIMITS } from '../../protocol/index.js';
import { Ack } from './ack.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function observedAck() {
  const sent: object[] = [];
  const faults: string[] = [];
  const outcomes: string[] = [];
  const ack = new Ack('message:send', (payload) => sent.push(payload), {
    failed: (_event, error) => faults.push(error.code),
    settled: (outcome) => outcomes.push(outcome),
  });
  return { ack, sent, faults, outcomes };
}

test('The ack is sent once, with the first outcome', () => {
  const { ack, sent, outcomes } = observedAck();
  ack.succeed({ seq: 1 });
  ack.succeed({ seq: 2 });
  ack.fail(new DomainError('not_found', 'No.'));
  vi.advanceTimersByTime(2 * LIMITS.requestTimeoutMs);
  expect(sent).toEqual([{ ok: true, seq: 1 }]);
  expect(outcomes).toEqual(['ok']);
});

test('An event that takes too long is acked with timeout, and a later result is dropped', () => {
  const { ack, sent, faults, outcomes } = observedAck();
  vi.advanceTimersByTime(LIMITS.requestTimeoutMs);
  ack.succeed({ seq: 1 });
  expect(sent).toMatchObject([{ ok: false, error: { code: 'timeout', retryable: true } }]);
  expect([faults, outcomes]).toEqual([['timeout'], ['timeout']]);
});

test('The ack of an unknown error reveals nothing of it (P11)', () => {
  const { ack, sent, faults } = observedAck();
  ack.fail(new Error('password=secret at /srv/app.js:1:1'));
  expect(JSON.stringify(sent)).not.toMatch(/secret|srv/);
  expect(sent).toMatchObject([{ ok: false, error: { code: 'internal', retryable: true } }]);
  expect(faults).toEqual(['internal']);
});

test('An event without a callback is not acked, and its timer is cleared', () => {
  const ack = new Ack('ping', undefined, {
    failed: () => expect.unreachable('nothing failed'),
    settled: (outcome) => expect(outcome).toBe('ok'),
  });
  ack.succeed({});
  expect(vi.getTimerCount()).toBe(0);
});
