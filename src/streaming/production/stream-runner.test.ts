import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { sleep } from '../../common/deadline.js';
import { readConfig } from '../../platform/config/config.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { MemoryRelay } from '../../platform/relay/memory-relay.js';
import type { Delta } from '../../providers/provider.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import type { AppendChunks } from '../log/chunk-log.store.js';
import type { OwnedStream } from '../log/stream.rows.js';
import type { EndResult } from '../log/streams.store.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import type { StreamEnder } from './stream-ender.js';
import { StreamRunner, type RunnerServices } from './stream-runner.js';

type Ending = Parameters<StreamEnder['end']>[0];

const ROW: OwnedStream = {
  ...{ id: 's', conversationId: 'c', messageId: 'm', replyTo: { messageId: 'q', seq: 1 }, userId: 'alice' },
  ...{ status: 'starting', provider: 'model', model: 'large', usedFallback: false, transport: 'sse' },
  options: { includeContext: true, visible: true, chunkBytes: 100, chunkDelayMs: 0 },
  ...{ ownerNode: 'n', epoch: 1, controlVersion: 0, lastSequence: -1, bytes: '0', usage: null, error: null },
  ...{ interruptions: 0, recoveries: 0, startedAt: new Date(), firstChunkAt: null, lastChunkAt: null },
  ...{ completedAt: null, expired: false, livedMs: 0, prompt: [{ role: 'user', content: 'Why?' }] },
};
const CONTINUED: OwnedStream = {
  ...ROW,
  ...{ status: 'streaming', lastSequence: 2, epoch: 3, interruptions: 1, recoveries: 1 },
};
const USAGE = { inputTokens: 7, outputTokens: 2, totalTokens: 9 };
const DELTAS: Delta[] = [
  { type: 'content', text: 'Because' },
  { type: 'finish', usage: USAGE },
];

interface Options {
  row?: OwnedStream;
  /** Throws an `AbortError` after the first delta, once the runner aborts it. */
  stalls?: boolean;
  /** How long the provider takes to its first delta. */
  opensAfterMs?: number;
  /** Results of the ends, one after the other; then `ended`. */
  ends?: EndResult['outcome'][];
}

/** A runner with a log, a provider and an ender in memory. */
function setUp({ row = ROW, stalls = false, opensAfterMs = 0, ends = [] }: Options = {}) {
  const appended: string[] = [];
  const endings: Ending[] = [];
  const requests: Parameters<ProviderCall['open']>[0][] = [];
  const relay = new MemoryRelay();
  const releases: string[] = [];
  const log = {
    append: ({ chunks }: AppendChunks) => {
      appended.push(...chunks.map(({ type, content }) => content || type));
      return Promise.resolve(new Date());
    },
    position: () =>
      Promise.resolve({
        ...{ epoch: row.epoch, paused: false, version: 0, ended: false },
        ...{ lastSequence: row.lastSequence + appended.length, lastChunkAt: new Date() },
      }),
    text: () => Promise.resolve('Well, '),
    recordPrompt: () => Promise.resolve(),
  };
  const ender = {
    registerWriter: () => () => {},
    end: (ending: Ending) => {
      endings.push(ending);
      return Promise.resolve({ outcome: ends.shift() ?? 'ended' });
    },
    release: ({ id }: OwnedStream) => Promise.resolve(void releases.push(id)),
  };
  const metrics = new StreamMetrics(new MetricsRegistry());
  const services = { log, ender, relay, metrics, prompts: {} } as unknown as RunnerServices;
  const call = {
    canContinue: true,
    open: async (request: (typeof requests)[number]) => {
      requests.push(request);
      if (opensAfterMs > 0) await sleep(opensAfterMs, request.signal);
      const { provider, model } = row;
      return { provider, model, usedFallback: false, deltas: deltasFor(request.signal, stalls) };
    },
  } as unknown as ProviderCall;
  const limits = { ...readConfig({}), STREAM_TIMEOUT_MS: 60_000 };
  const runner = new StreamRunner(row, call, services, limits);
  return { runner, relay, appended, endings, requests, releases };
}

async function* deltasFor(signal: AbortSignal, stalls: boolean): AsyncGenerator<Delta> {
  yield DELTAS[0] as Delta;
  if (stalls) {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    signal.throwIfAborted();
  }
  yield DELTAS[1] as Delta;
}

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(true));

describe('A runner', () => {
  test('ends a new answer with the usage that the provider reported', async () => {
    const { runner, appended, endings } = setUp();
    await runner.run();
    expect(appended).toEqual(['metadata', 'Because']);
    const owner = { epoch: 1, lastSequence: 1 };
    expect(endings).toMatchObject([{ type: 'complete', owner, usage: { ...USAGE, source: 'provider' } }]);
  });

  test('ends a continued answer without the provider’s usage, which covers its last part only (P5)', async () => {
    const { runner, appended, endings, requests } = setUp({ row: CONTINUED });
    await runner.run();
    expect(requests).toMatchObject([{ continueFrom: 'Well, ' }]);
    expect(appended).toEqual(['Because']);
    expect(endings).toMatchObject([{ type: 'complete', usage: null, owner: { epoch: 3, lastSequence: 3 } }]);
  });

  test('ends an answer that was continued too often with an error, without asking the provider', async () => {
    const { runner, endings, requests } = setUp({ row: { ...CONTINUED, recoveries: 1000 } });
    await runner.run();
    expect(requests).toEqual([]);
    expect(endings).toMatchObject([{ type: 'error', error: { code: 'internal' } }]);
  });

  test('tries its end again after the fence refused it and the log was restored', async () => {
    const { runner, endings } = setUp({ ends: ['fenced'] });
    await runner.run();
    expect(endings).toHaveLength(2);
  });

  test('stops without writing an end if the stream was ended elsewhere', async () => {
    const { runner, relay, endings, releases, appended, requests } = setUp({ stalls: true });
    const running = runner.run();
    await vi.waitFor(() => expect(appended).toContain('Because'));
    relay.publish('stream', 's', { type: 'ended' });
    await running;
    expect(requests[0]?.signal.aborted).toBe(true);
    expect([endings, releases]).toEqual([[], []]);
  });

  test('releases the stream without an end when it hands over', async () => {
    const { runner, endings, releases, appended } = setUp({ stalls: true });
    const running = runner.run();
    await vi.waitFor(() => expect(appended).toContain('Because'));
    runner.handOver();
    await running;
    expect([endings, releases]).toEqual([[], ['s']]);
  });

  test('counts the time of an answer from its first word: loading a model takes none of it', async () => {
    vi.useFakeTimers();
    const { runner, endings } = setUp({ opensAfterMs: 200_000, stalls: true });
    const running = runner.run();
    await vi.advanceTimersByTimeAsync(200_000 + 59_000);
    expect(endings).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    await running;
    expect(endings).toMatchObject([{ type: 'cancelled', reason: 'timeout' }]);
    vi.useRealTimers();
  });

  test('cancels an answer whose time is over', async () => {
    const { runner, endings } = setUp({ row: { ...CONTINUED, livedMs: 60_000 }, stalls: true });
    await runner.run();
    expect(endings).toMatchObject([{ type: 'cancelled', reason: 'timeout' }]);
  });
});
