import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import type { Announcer } from '../../conversations/announcer.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { MemoryRelay } from '../../platform/relay/memory-relay.js';
import type { Chunk, Message } from '../../protocol/index.js';
import type { EndedStream, EndResult, StreamsStore } from '../log/streams.store.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { StreamEnder } from './stream-ender.js';

const END: Chunk = {
  ...{ streamId: 's', sequence: 3, type: 'complete', content: '' },
  timestamp: '2026-01-01T00:00:00.000Z',
};
const ENDED: EndedStream = {
  ...{
    outcome: 'ended',
    status: 'completed',
    lastSequence: 3,
    conversationId: 'c',
    chunk: END,
    opening: null,
  },
  message: { message: { id: 'm' } as Message, memberVersion: 1 },
};
const FENCED: EndResult = { outcome: 'fenced', status: 'streaming', lastSequence: 2 };
const ALREADY: EndResult = { outcome: 'already', status: 'completed', lastSequence: 3 };
const away = (): DomainError => new DomainError('timeout', 'The database did not respond in time.');

/** An ender whose database returns `results` one after the other, and everything that it publishes. */
function setUp(...results: (EndResult | DomainError)[]) {
  const published: string[] = [];
  const streams = {
    end: () => {
      const result = results.shift() ?? ALREADY;
      return result instanceof DomainError ? Promise.reject(result) : Promise.resolve(result);
    },
    findEnded: () => Promise.resolve(ENDED),
  } as unknown as StreamsStore;
  const relay = new MemoryRelay();
  relay.subscribe('stream', 's', ({ type }) => published.push(type));
  relay.subscribe('conversation', 'c', (event) => {
    published.push(event.type === 'stream:chunk' ? event.chunk.type : event.type);
  });
  const announcer = { announce: () => published.push('message') } as unknown as Announcer;
  const ender = new StreamEnder(streams, relay, announcer, new StreamMetrics(new MetricsRegistry()));
  return { ender, published };
}

const ending = { streamId: 's', type: 'complete', visible: true } as const;
const ALL = ['ended', 'complete', 'stream:status', 'message'];

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(true));

describe('The end of a stream', () => {
  test('is published after the chunks that were committed before it (P5)', async () => {
    const { ender, published } = setUp(ENDED);
    let finishAppend = (): void => {};
    const append = new Promise<void>((resolve) => (finishAppend = resolve));
    const quiet = async (): Promise<void> => {
      await append;
      published.push('last chunks');
    };
    ender.registerWriter('s', { quiet });
    const done = ender.end(ending);
    await new Promise(setImmediate);
    // The owner knows, so that it appends nothing more. The viewers wait for what it has appended.
    expect(published).toEqual(['ended']);
    finishAppend();
    await done;
    expect(published).toEqual(['ended', 'last chunks', ...ALL.slice(1)]);
  });

  test('does not wait for the writer of another stream, nor for one that was removed', async () => {
    const { ender, published } = setUp(ENDED);
    const never = { quiet: () => new Promise<void>(() => {}) };
    ender.registerWriter('other', never);
    ender.registerWriter('s', never)();
    await ender.end(ending);
    expect(published).toEqual(ALL);
  });

  test('waits for the newer writer of a stream after the older one was removed', async () => {
    const { ender, published } = setUp(ENDED);
    const removeOlder = ender.registerWriter('s', { quiet: () => Promise.resolve() });
    ender.registerWriter('s', { quiet: async () => void published.push('last chunks') });
    removeOlder();
    await ender.end(ending);
    expect(published).toEqual(['ended', 'last chunks', ...ALL.slice(1)]);
  });

  test('has chunk 0 before it where the owner wrote none', async () => {
    const opening: Chunk = { ...END, sequence: 0, type: 'metadata' };
    const { ender, published } = setUp({ ...ENDED, opening });
    await ender.end(ending);
    expect(published).toEqual(['ended', 'metadata', ...ALL.slice(1)]);
  });

  test('of an invisible stream publishes the message alone', async () => {
    const { ender, published } = setUp(ENDED);
    await ender.end({ ...ending, visible: false });
    expect(published).toEqual(['ended', 'message']);
  });

  test('is not published by those that did not make it', async () => {
    for (const result of [FENCED, ALREADY]) {
      const { ender, published } = setUp(result);
      expect(await ender.end(ending)).toBe(result);
      expect(published).toEqual([]);
    }
  });

  test('is published where an earlier try made it and its result was lost', async () => {
    const { ender, published } = setUp(away(), ALREADY);
    await ender.end(ending, 10_000);
    expect(published).toEqual(ALL);
  });

  test('is not retried after the retry window, nor for an error that is final', async () => {
    for (const [error, retryForMs] of [
      [away(), 0],
      [new DomainError('internal', 'Unexpected.', { retryable: false }), 10_000],
    ] as const) {
      const { ender, published } = setUp(error, ENDED);
      await expect(ender.end(ending, retryForMs)).rejects.toBe(error);
      expect(published).toEqual([]);
    }
  });
});
