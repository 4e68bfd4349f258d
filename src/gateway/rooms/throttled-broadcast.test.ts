import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ThrottledBroadcast } from './throttled-broadcast.js';

interface Receipt {
  userId: string;
  deliveredSeq: number;
}

const told: Receipt[] = [];

function fanOut(audience: number): ThrottledBroadcast<Receipt> {
  return new ThrottledBroadcast({
    keyOf: ({ userId }) => userId,
    audience: () => audience,
    tell: (receipt) => told.push(receipt),
    writes: 500,
  });
}

function receipt(userId: string, deliveredSeq: number): Receipt {
  return { userId, deliveredSeq };
}

beforeEach(() => {
  vi.useFakeTimers();
  told.length = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

test('the receipts of a small room are told at once', () => {
  const receipts = fanOut(10);
  for (let user = 0; user < 10; user += 1) receipts.hear(receipt(`u${user}`, 1));
  expect(told).toHaveLength(10);
});

test('the receipts of a large room cost no more writes than the budget, whatever is acked (P7)', () => {
  const receipts = fanOut(250);
  for (let second = 1; second <= 60; second += 1) {
    for (let user = 0; user < 250; user += 1) receipts.hear(receipt(`u${user}`, second));
    vi.advanceTimersByTime(1000);
  }
  const writesPerSecond = (told.length * 250) / 60;
  expect(writesPerSecond).toBeGreaterThan(800);
  expect(writesPerSecond).toBeLessThan(1200);
});

test('everybody is told of in the end, by the latest receipt', () => {
  const receipts = fanOut(250);
  for (let seq = 1; seq <= 20; seq += 1) {
    for (let user = 0; user < 250; user += 1) receipts.hear(receipt(`u${user}`, seq));
  }
  vi.advanceTimersByTime(120_000);
  const last = new Map(told.map(({ userId, deliveredSeq }) => [userId, deliveredSeq]));
  expect(last.size).toBe(250);
  expect([...last.values()].every((seq) => seq === 20)).toBe(true);
});

test('a room that is larger than the budget is told too, and the timer ends when nothing waits', () => {
  const receipts = fanOut(5000);
  for (let user = 0; user < 3; user += 1) receipts.hear(receipt(`u${user}`, 1));
  expect(told).toHaveLength(1);
  vi.advanceTimersByTime(20_000);
  expect(told).toHaveLength(3);
  expect(vi.getTimerCount()).toBe(0);
});

test('one that is closed tells nothing more', () => {
  const receipts = fanOut(1000);
  for (let user = 0; user < 3; user += 1) receipts.hear(receipt(`u${user}`, 1));
  receipts.close();
  vi.advanceTimersByTime(60_000);
  expect(told).toHaveLength(1);
});

test('what waits can be changed before it is told, and what does not wait is not', () => {
  const receipts = fanOut(1000);
  for (let user = 0; user < 3; user += 1) receipts.hear(receipt(`u${user}`, 1));
  for (const userId of ['u0', 'u2', 'u9']) receipts.revise(userId, () => receipt(userId, 7));
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([receipt('u0', 1), receipt('u1', 1), receipt('u2', 7)]);
});
