import { describe, expect, test } from 'vitest';
import { DeadlineQueue } from './deadline-queue.js';

describe('DeadlineQueue', () => {
  test('gives what is due, the earliest first, each once', () => {
    const due = new DeadlineQueue<string>(100);
    due.set('late', 1000);
    due.set('early', 250);
    due.set('middle', 640);
    expect(due.takeDue(249)).toEqual([]);
    expect(due.takeDue(700)).toEqual(['early', 'middle']);
    expect(due.takeDue(700)).toEqual([]);
    expect(due.takeDue(5000)).toEqual(['late']);
    expect(due.size).toBe(0);
  });

  test('gives nothing before its time', () => {
    const due = new DeadlineQueue<string>(100);
    due.set('a', 1001);
    expect(due.takeDue(1000)).toEqual([]);
    expect(due.takeDue(1099)).toEqual([]);
    expect(due.takeDue(1100)).toEqual(['a']);
  });

  test('moves and forgets', () => {
    const due = new DeadlineQueue<string>(100);
    due.set('a', 100);
    due.set('b', 100);
    due.set('a', 900);
    due.delete('b');
    expect(due.takeDue(800)).toEqual([]);
    expect(due.takeDue(900)).toEqual(['a']);
    due.set('c', 200);
    expect(due.takeDue(900)).toEqual(['c']);
  });
});
