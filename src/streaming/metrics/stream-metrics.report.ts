import type { Counter, Histogram } from 'prom-client';
import { COUNT, nullable, NUMBER, objectSchema } from '../../protocol/schemas/schema.js';
import type { StreamTransport } from '../../protocol/index.js';
import type { StreamMetrics } from './stream-metrics.js';

/** A histogram in milliseconds, for people; null where nothing was observed. Quantiles are interpolated between bounds. */
interface Summary {
  count: number;
  meanMs: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/** Body of `GET /api/ws/stream/metrics`: this process since its start. */
export interface MetricsReport {
  streams: {
    started: Record<StreamTransport, number>;
    completed: number;
    cancelled: number;
    failed: number;
    /** Completed of all that ended by themselves (not cancelled); null while none has. */
    successRate: number | null;
    /** Found without a living owner. */
    interrupted: number;
    /** Taken over from another process and gone on with. */
    continued: number;
    /** Taken over, but only to be ended. */
    lost: number;
    /** Continued of those that were taken over; null while none was. */
    recoveryRate: number | null;
    /** Writers that the log refused because their answer had another owner. */
    fenced: number;
  };
  chunks: number;
  bytes: number;
  replayedChunks: number;
  viewers: Record<StreamTransport, number>;
  duration: Summary;
  timeToFirstChunk: Summary;
  timeBetweenChunks: Summary;
  /** From a chunk of the provider's text to its write to the viewers. */
  chunkDelivery: Summary;
}

const SUMMARY = objectSchema<Summary>({
  count: COUNT,
  meanMs: nullable(NUMBER),
  p50Ms: nullable(NUMBER),
  p95Ms: nullable(NUMBER),
  p99Ms: nullable(NUMBER),
});
const BY_TRANSPORT = objectSchema<Record<StreamTransport, number>>({
  websocket: COUNT,
  sse: COUNT,
  http: COUNT,
});
const RATE = nullable({ type: 'number', minimum: 0, maximum: 1 });

/** The schema of a {@link MetricsReport}. */
export const REPORT = objectSchema<MetricsReport>({
  streams: objectSchema<MetricsReport['streams']>({
    started: BY_TRANSPORT,
    ...{ completed: COUNT, cancelled: COUNT, failed: COUNT, successRate: RATE },
    ...{ interrupted: COUNT, continued: COUNT, lost: COUNT, recoveryRate: RATE },
    fenced: COUNT,
  }),
  chunks: COUNT,
  bytes: COUNT,
  replayedChunks: COUNT,
  viewers: BY_TRANSPORT,
  duration: SUMMARY,
  timeToFirstChunk: SUMMARY,
  timeBetweenChunks: SUMMARY,
  chunkDelivery: SUMMARY,
});

/** Reads the counters into a {@link MetricsReport}. */
export async function reportOf(metrics: StreamMetrics): Promise<MetricsReport> {
  const ended = await totals(metrics.ended, 'status');
  const started = await totals(metrics.started, 'transport');
  const { completed = 0, cancelled = 0, failed = 0 } = ended;
  const [interrupted, continued, lost] = (await Promise.all(
    [metrics.interrupted, metrics.continued, metrics.lost].map(total),
  )) as [number, number, number];
  const { websocket = 0, sse = 0, http = 0 } = started;
  return {
    streams: {
      started: { websocket, sse, http },
      ...{ completed, cancelled, failed, successRate: rate(completed, completed + failed) },
      ...{ interrupted, continued, lost, recoveryRate: rate(continued, continued + lost) },
      fenced: await total(metrics.fenced),
    },
    chunks: await total(metrics.chunks),
    bytes: await total(metrics.bytes),
    replayedChunks: await total(metrics.replayed),
    viewers: metrics.viewerCounts(),
    duration: await summary(metrics.times.duration),
    timeToFirstChunk: await summary(metrics.times.firstChunk),
    timeBetweenChunks: await summary(metrics.times.betweenChunks),
    chunkDelivery: await summary(metrics.times.delivery),
  };
}

function rate(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

async function total(counter: Counter): Promise<number> {
  const { values } = await counter.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

async function totals<L extends string>(
  counter: Counter<L>,
  label: L,
): Promise<Record<string, number | undefined>> {
  const { values } = await counter.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels[label]), value]));
}

async function summary(histogram: Histogram): Promise<Summary> {
  const { values } = await histogram.get();
  const buckets = values
    .filter(({ metricName }) => metricName?.endsWith('_bucket'))
    .map(({ labels, value }) => ({
      le: labels['le'] === '+Inf' ? Infinity : Number(labels['le']),
      count: value,
    }));
  const count = buckets.at(-1)?.count ?? 0;
  const sum = values.find(({ metricName }) => metricName?.endsWith('_sum'))?.value ?? 0;
  const at = (share: number): number | null => toMs(quantile(buckets, share));
  const meanMs = count === 0 ? null : toMs(sum / count);
  return { count, meanMs, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

interface Bucket {
  /** Upper bound, inclusive. */
  le: number;
  /** Observations at or below it. */
  count: number;
}

/** As Prometheus' `histogram_quantile`: linear within a bucket; beyond the last bound, that bound. */
export function quantile(buckets: readonly Bucket[], share: number): number | null {
  const rank = share * (buckets.at(-1)?.count ?? 0);
  if (rank === 0) return null;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const below = buckets[index - 1] ?? { le: 0, count: 0 };
  const bucket = buckets[index] as Bucket;
  if (bucket.le === Infinity) return below.le;
  return below.le + ((bucket.le - below.le) * (rank - below.count)) / (bucket.count - below.count);
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1_000_000) / 1000;
}
