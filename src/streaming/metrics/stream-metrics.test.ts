import { expect, test } from 'vitest';
import type { Chunk } from '../../protocol/index.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { StreamMetrics } from './stream-metrics.js';
import { quantile, reportOf } from './stream-metrics.report.js';

function chunk(sequence: number, type: Chunk['type'], content: string): Chunk {
  return { streamId: 's', sequence, type, content, timestamp: '2026-01-01T00:00:00.000Z' };
}

test('a quantile is interpolated between the bounds of its bucket, and is at most the last bound', () => {
  const buckets = [
    { le: 1, count: 2 },
    { le: 2, count: 6 },
    { le: Infinity, count: 10 },
  ];
  expect(quantile(buckets, 0.1)).toBe(0.5);
  expect(quantile(buckets, 0.2)).toBe(1);
  expect(quantile(buckets, 0.4)).toBe(1.5);
  expect(quantile(buckets, 0.99)).toBe(2);
  expect(quantile([{ le: Infinity, count: 0 }], 0.5)).toBeNull();
});

test('a new process reports no counts, and null for rates and quantiles', async () => {
  const report = await reportOf(new StreamMetrics(new MetricsRegistry()));
  expect(report).toMatchObject({
    streams: {
      started: { websocket: 0, sse: 0, http: 0 },
      completed: 0,
      successRate: null,
      recoveryRate: null,
    },
    ...{ chunks: 0, bytes: 0, replayedChunks: 0, viewers: { websocket: 0, sse: 0, http: 0 } },
    timeToFirstChunk: { count: 0, meanMs: null, p50Ms: null, p95Ms: null, p99Ms: null },
  });
});

test('the first text and the gaps between chunks are timed, chunk 0 and the end are not; all chunks are counted', async () => {
  const registry = new MetricsRegistry();
  const metrics = new StreamMetrics(registry);
  const stats = metrics.onStart('sse', true);
  const chunks = [chunk(0, 'metadata', ''), chunk(1, 'content', 'é'), chunk(2, 'reasoning', 'b')];
  for (const one of chunks) {
    stats.onChunkCut();
    stats.onChunkShown(one);
  }
  stats.onStop();
  metrics.onEnd('completed');
  metrics.onEnd('failed');
  metrics.onEnd('cancelled');
  metrics.onStart('sse', false).onFenced();
  metrics.onTakeover(true);
  metrics.onTakeover(true);
  metrics.onTakeover(false);
  metrics.countViewers('sse', () => 7);
  const report = await reportOf(metrics);
  expect(report.streams).toMatchObject({
    started: { sse: 1 },
    completed: 1,
    failed: 1,
    cancelled: 1,
    successRate: 0.5,
  });
  expect(report.streams).toMatchObject({ continued: 2, lost: 1, recoveryRate: 2 / 3, fenced: 1 });
  expect(report).toMatchObject({ chunks: 6, bytes: 3, viewers: { sse: 7 } });
  const counts = [report.timeToFirstChunk, report.timeBetweenChunks, report.chunkDelivery, report.duration];
  expect(counts.map(({ count }) => count)).toEqual([1, 1, 3, 1]);
  expect(await registry.metrics()).toContain('streamgate_stream_viewers{transport="sse"} 7');
});
