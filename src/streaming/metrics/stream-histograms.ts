import type { Histogram } from 'prom-client';
import type { MetricsRegistry } from '../../platform/metrics/registry.js';

// Bounds in seconds, as OpenTelemetry's semantic conventions for generative AI advise for the metric named with each.
const REQUEST_DURATION = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TIME_TO_FIRST_TOKEN = [
  ...[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
];
const TIME_PER_OUTPUT_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const DELIVERY = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** How long the parts of answers take, in seconds. */
export interface StreamHistograms {
  duration: Histogram;
  firstChunk: Histogram;
  betweenChunks: Histogram;
  delivery: Histogram;
}

/** Registers the histograms of answers. */
export function streamHistograms(registry: MetricsRegistry): StreamHistograms {
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    registry.histogram(`streamgate_stream_${name}_seconds`, help, { buckets });
  return {
    duration: histogram(
      'duration',
      'From the beginning of an answer here to its end (gen_ai.server.request.duration).',
      REQUEST_DURATION,
    ),
    firstChunk: histogram(
      'time_to_first_chunk',
      'From the beginning of an answer to its first text (gen_ai.server.time_to_first_token).',
      TIME_TO_FIRST_TOKEN,
    ),
    betweenChunks: histogram(
      'time_between_chunks',
      'Between two chunks of an answer (as gen_ai.server.time_per_output_token, for chunks).',
      TIME_PER_OUTPUT_TOKEN,
    ),
    delivery: histogram(
      'chunk_delivery',
      'From a chunk of the provider’s text to its write to the viewers: the log’s commit in between.',
      DELIVERY,
    ),
  };
}
