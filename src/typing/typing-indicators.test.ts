import { beforeEach, describe, expect, test } from 'vitest';
import { StandingClock } from '../../test/support/standing-clock.js';
import { MemoryTypingIndicators } from './memory-typing-indicators.js';
import type { TypingIndicators } from './typing-indicators.js';

const ANN = { conversationId: 'c', userId: 'ann' };
const ON_PHONE = { ...ANN, connectionId: 'phone' };

/** Every implementation of the port: the same suite over each. */
const TWINS: [string, (clock: StandingClock) => TypingIndicators][] = [
  ['memory', (clock) => new MemoryTypingIndicators(5000, clock)],
];

describe.each(TWINS)('Typing indicators in %s', (_name, make) => {
  let clock: StandingClock;
  let typing: TypingIndicators;

  beforeEach(() => {
    clock = new StandingClock();
    typing = make(clock);
  });

  async function pass(ms: number): Promise<boolean[]> {
    const told: boolean[] = [];
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      told.push(...(await typing.settle()).map(({ isTyping }) => isTyping));
    }
    return told;
  }

  test('a start is told, a repeat at most once in two seconds', async () => {
    expect(await typing.start(ON_PHONE)).toEqual({ ...ANN, isTyping: true });
    let told = 0;
    for (let second = 0; second < 100; second += 1) {
      await pass(100);
      if (await typing.start(ON_PHONE)) told += 1;
    }
    expect(told).toBe(5);
    expect(await typing.in('c')).toEqual(['ann']);
    expect(await typing.countUsers()).toBe(1);
  });

  test('a stop is told once, and a second one not', async () => {
    await typing.start(ON_PHONE);
    expect(await typing.stop(ANN)).toEqual({ ...ANN, isTyping: false });
    expect(await typing.stop(ANN)).toBeNull();
    expect(await typing.in('c')).toEqual([]);
    expect(await pass(10_000)).toEqual([]);
  });

  test('what is not renewed expires, told once (P9)', async () => {
    await typing.start(ON_PHONE);
    expect(await pass(4900)).toEqual([]);
    expect(await pass(200)).toEqual([false]);
    expect(await pass(10_000)).toEqual([]);
    expect(await typing.countUsers()).toBe(0);
  });

  test('starting and stopping again and again is held to the throttle, and the last word holds', async () => {
    const told: boolean[] = [];
    for (let round = 0; round < 40; round += 1) {
      for (const update of [await typing.start(ON_PHONE), await typing.stop(ANN)]) {
        if (update) told.push(update.isTyping);
      }
      told.push(...(await pass(100)));
    }
    expect(told).toEqual([true, false, true, false]);
  });

  test('a start that had to wait is told when the throttle opens, unless it has stopped', async () => {
    await typing.start(ON_PHONE);
    await typing.stop(ANN);
    expect(await typing.start(ON_PHONE)).toBeNull();
    expect(await typing.in('c')).toEqual([]);
    expect(await pass(1900)).toEqual([]);
    expect(await pass(200)).toEqual([true]);
    await typing.stop(ANN);
    await typing.start(ON_PHONE);
    await typing.stop(ANN);
    expect(await pass(5000)).toEqual([]);
  });

  test('the end of a connection ends only what was typed on it last', async () => {
    await typing.start(ON_PHONE);
    await typing.start({ ...ANN, connectionId: 'laptop' });
    expect(await typing.stop(ON_PHONE)).toBeNull();
    expect(await typing.stop({ ...ANN, connectionId: 'laptop' })).toEqual({ ...ANN, isTyping: false });
  });
});

test('Typing in memory keeps nothing of who has stopped', async () => {
  const clock = new StandingClock();
  const typing = new MemoryTypingIndicators(5000, clock);
  await typing.start(ON_PHONE);
  await typing.stop(ANN);
  await typing.start({ ...ON_PHONE, userId: 'bob' });
  clock.advance(6000);
  await typing.settle();
  clock.advance(6000);
  await typing.settle();
  expect(typing.size).toEqual({ conversations: 0, due: 0 });
});
