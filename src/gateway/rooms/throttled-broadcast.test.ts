import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ThrottledBroadcast } from './throttled-broadcast.js';

interface Receipt {
  userId: string;
  deliveredSeq: number;
}

const sent: Receipt[] = [];

function throttle(audience: number): ThrottledBroadcast<Receipt> {
  return new ThrottledBroadcast({
    keyOf: ({ userId }) => userId,
    audience: () => audience,
    send: (receipt) => sent.push(receipt),
    writes: 500,
  });
}

function receipt(userId: string, deliveredSeq: number): Receipt {
  return { userId, deliveredSeq };
}

beforeEach(() => {
  vi.useFakeTimers();
  sent.length = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

test('the receipts of a small room are sent at once', () => {
  const receipts = throttle(10);
  for (let user = 0; user < 10; user += 1) receipts.add(receipt(`u${user}`, 1));
  expect(sent).toHaveLength(10);
});

test('the receipts of a large room cost at most the budget of writes, however much is acked (P7)', () => {
  const receipts = throttle(250);
  for (let second = 1; second <= 60; second += 1) {
    for (let user = 0; user < 250; user += 1) receipts.add(receipt(`u${user}`, second));
    vi.advanceTimersByTime(1000);
  }
  const writesPerSecond = (sent.length * 250) / 60;
  expect(writesPerSecond).toBeGreaterThan(800);
  expect(writesPerSecond).toBeLessThan(1200);
});

test('every user’s latest receipt is sent in the end', () => {
  const receipts = throttle(250);
  for (let seq = 1; seq <= 20; seq += 1) {
    for (let user = 0; user < 250; user += 1) receipts.add(receipt(`u${user}`, seq));
  }
  vi.advanceTimersByTime(120_000);
  const last = new Map(sent.map(({ userId, deliveredSeq }) => [userId, deliveredSeq]));
  expect(last.size).toBe(250);
  expect([...last.values()].every((seq) => seq === 20)).toBe(true);
});

test('an audience larger than the budget receives items too, and the timer ends when nothing waits', () => {
  const receipts = throttle(5000);
  for (let user = 0; user < 3; user += 1) receipts.add(receipt(`u${user}`, 1));
  expect(sent).toHaveLength(1);
  vi.advanceTimersByTime(20_000);
  expect(sent).toHaveLength(3);
  expect(vi.getTimerCount()).toBe(0);
});

test('nothing is sent after close', () => {
  const receipts = throttle(1000);
  for (let user = 0; user < 3; user += 1) receipts.add(receipt(`u${user}`, 1));
  receipts.close();
  vi.advanceTimersByTime(60_000);
  expect(sent).toHaveLength(1);
});

test('a waiting item can be updated, one that was sent cannot', () => {
  const receipts = throttle(1000);
  for (let user = 0; user < 3; user += 1) receipts.add(receipt(`u${user}`, 1));
  for (const userId of ['u0', 'u2', 'u9']) receipts.update(userId, () => receipt(userId, 7));
  vi.advanceTimersByTime(60_000);
  expect(sent).toEqual([receipt('u0', 1), receipt('u1', 1), receipt('u2', 7)]);
});
