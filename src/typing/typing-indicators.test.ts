import { beforeEach, describe, expect, test } from 'vitest';
import { StandingClock } from '../../test/support/standing-clock.js';
import { MemoryTypingIndicators } from './memory-typing-indicators.js';
import type { TypingIndicators } from './typing-indicators.js';

const ANN = { conversationId: 'c', userId: 'ann' };
const ON_PHONE = { ...ANN, connectionId: 'phone' };

/** Every implementation of the port runs the same suite. */
const IMPLEMENTATIONS: [string, (clock: StandingClock) => TypingIndicators][] = [
  ['memory', (clock) => new MemoryTypingIndicators(5000, clock)],
];

describe.each(IMPLEMENTATIONS)('Typing indicators in %s', (_name, make) => {
  let clock: StandingClock;
  let typing: TypingIndicators;

  beforeEach(() => {
    clock = new StandingClock();
    typing = make(clock);
  });

  /** Advances the clock in small steps. @returns the published changes. */
  async function pass(ms: number): Promise<boolean[]> {
    const published: boolean[] = [];
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      published.push(...(await typing.sweep()).map(({ isTyping }) => isTyping));
    }
    return published;
  }

  test('publishes a start, and a repeat at most once in two seconds', async () => {
    expect(await typing.start(ON_PHONE)).toEqual({ ...ANN, isTyping: true });
    let published = 0;
    for (let second = 0; second < 100; second += 1) {
      await pass(100);
      if (await typing.start(ON_PHONE)) published += 1;
    }
    expect(published).toBe(5);
    expect(await typing.typingUsers('c')).toEqual(['ann']);
    expect(await typing.countUsers()).toBe(1);
  });

  test('publishes a stop once', async () => {
    await typing.start(ON_PHONE);
    expect(await typing.stop(ANN)).toEqual({ ...ANN, isTyping: false });
    expect(await typing.stop(ANN)).toBeNull();
    expect(await typing.typingUsers('c')).toEqual([]);
    expect(await pass(10_000)).toEqual([]);
  });

  test('expires an indicator that is not renewed, and publishes that once (P9)', async () => {
    await typing.start(ON_PHONE);
    expect(await pass(4900)).toEqual([]);
    expect(await pass(200)).toEqual([false]);
    expect(await pass(10_000)).toEqual([]);
    expect(await typing.countUsers()).toBe(0);
  });

  test('throttles repeated starts and stops, and ends in the last state', async () => {
    const published: boolean[] = [];
    for (let round = 0; round < 40; round += 1) {
      for (const update of [await typing.start(ON_PHONE), await typing.stop(ANN)]) {
        if (update) published.push(update.isTyping);
      }
      published.push(...(await pass(100)));
    }
    expect(published).toEqual([true, false, true, false]);
  });

  test('publishes a postponed start when the throttle allows it, unless the user has stopped', async () => {
    await typing.start(ON_PHONE);
    await typing.stop(ANN);
    expect(await typing.start(ON_PHONE)).toBeNull();
    expect(await typing.typingUsers('c')).toEqual([]);
    expect(await pass(1900)).toEqual([]);
    expect(await pass(200)).toEqual([true]);
    await typing.stop(ANN);
    await typing.start(ON_PHONE);
    await typing.stop(ANN);
    expect(await pass(5000)).toEqual([]);
  });

  test('ends an indicator with the connection that typed last, and with no other', async () => {
    await typing.start(ON_PHONE);
    await typing.start({ ...ANN, connectionId: 'laptop' });
    expect(await typing.stop(ON_PHONE)).toBeNull();
    expect(await typing.stop({ ...ANN, connectionId: 'laptop' })).toEqual({ ...ANN, isTyping: false });
  });
});

test('Typing indicators in memory keep nothing after the last stop', async () => {
  const clock = new StandingClock();
  const typing = new MemoryTypingIndicators(5000, clock);
  await typing.start(ON_PHONE);
  await typing.stop(ANN);
  await typing.start({ ...ON_PHONE, userId: 'bob' });
  clock.advance(6000);
  await typing.sweep();
  clock.advance(6000);
  await typing.sweep();
  expect(typing.size).toEqual({ conversations: 0, due: 0 });
});
