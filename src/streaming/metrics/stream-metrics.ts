import { Injectable } from '@nestjs/common';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { isTerminal, type Chunk, type StreamStatus, type StreamTransport } from '../../protocol/index.js';

// Bounds in seconds, as OpenTelemetry's semantic conventions for generative AI recommend for the metric named with each.
const REQUEST_DURATION = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TIME_TO_FIRST_TOKEN = [
  ...[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
];
const TIME_PER_OUTPUT_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const DELIVERY = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Durations of parts of answers, in seconds. */
interface StreamHistograms {
  duration: Histogram;
  firstChunk: Histogram;
  betweenChunks: Histogram;
  delivery: Histogram;
}

const VIEWER_TRANSPORTS = ['websocket', 'sse', 'http'] as const;
type ViewerCounts = Record<StreamTransport, () => number>;

/** Metrics of this process's streams since its start; histograms in seconds with fixed bounds. */
@Injectable()
export class StreamMetrics {
  readonly started: Counter<'transport'>;
  readonly ended: Counter<'status'>;
  readonly interrupted: Counter;
  readonly continued: Counter;
  readonly lost: Counter;
  readonly fenced: Counter;
  readonly chunks: Counter;
  readonly bytes: Counter;
  readonly replayed: Counter;
  readonly recovered: Counter;
  readonly times: StreamHistograms;
  /** Returns how many answers this process produces now; set by `StreamRunners`. */
  countRunning: () => number = () => 0;
  private readonly counts: ViewerCounts = { websocket: () => 0, sse: () => 0, http: () => 0 };

  constructor(registry: MetricsRegistry) {
    this.started = registry.counter('streamgate_streams_started_total', 'Answers begun here.', ['transport']);
    this.ended = registry.counter('streamgate_streams_ended_total', 'Answers ended by this process.', [
      'status',
    ]);
    const counter = (name: string, help: string): Counter =>
      registry.counter(`streamgate_streams_${name}_total`, help);
    this.interrupted = counter('interrupted', 'Answers found without a living owner.');
    this.continued = counter('continued', 'Interrupted answers that this process went on with.');
    this.lost = counter('lost', 'Interrupted answers that this process could only end.');
    this.fenced = counter('fenced', 'Writers refused by the log: their answer had another owner.');
    this.chunks = counter('chunks', 'Chunks written to the log.');
    this.bytes = counter('bytes', 'UTF-8 bytes of text in them.');
    this.replayed = counter('replayed_chunks', 'Chunks read from the log for viewers.');
    this.times = streamHistograms(registry);
    this.recovered = counter('recovered', 'Pages read by stream:recover and its route.');
    registry.gauge('streamgate_streams_running', 'Answers in production here.', {
      collect: (gauge) => gauge.set(this.countRunning()),
    });
    registry.gauge(
      'streamgate_stream_viewers',
      'Readers of answers now; sockets once for each conversation that they joined.',
      { labelNames: ['transport'], collect: (gauge) => this.setViewers(gauge) },
    );
  }

  /** Sets the function that counts the viewers of a transport. */
  countViewers(transport: StreamTransport, count: () => number): void {
    this.counts[transport] = count;
  }

  /** Returns how many viewers each transport has now. */
  viewerCounts(): Record<StreamTransport, number> {
    const { websocket, sse, http } = this.counts;
    return { websocket: websocket(), sse: sse(), http: http() };
  }

  /** Counts an answer whose production starts here; `isNew` unless another process had started it. */
  onStart(transport: StreamTransport, isNew: boolean): StreamStats {
    if (isNew) this.started.inc({ transport });
    return new StreamStats(this);
  }

  /** Counts an interrupted answer that this process claimed. */
  onTakeover(canContinue: boolean): void {
    (canContinue ? this.continued : this.lost).inc();
  }

  /** Counts an answer that this process ended. */
  onEnd(status: StreamStatus): void {
    this.ended.inc({ status });
    // The terminal chunk.
    this.chunks.inc();
  }

  private setViewers(gauge: Gauge<'transport'>): void {
    const counts = this.viewerCounts();
    for (const transport of VIEWER_TRANSPORTS) gauge.set({ transport }, counts[transport]);
  }
}

/** Measures one answer while this process produces it. */
export class StreamStats {
  private readonly startedAt = performance.now();
  private readonly cutAt: number[] = [];
  private lastAt: number | undefined;

  constructor(private readonly metrics: StreamMetrics) {}

  /** A chunk is complete and goes to the log. */
  onChunkCut(): void {
    this.cutAt.push(performance.now());
  }

  /** The oldest chunk on its way is in the log and was published. */
  onChunkShown(chunk: Chunk): void {
    const { metrics } = this;
    const { times } = metrics;
    const now = performance.now();
    const cutAt = this.cutAt.shift();
    if (cutAt !== undefined) times.delivery.observe((now - cutAt) / 1000);
    metrics.chunks.inc();
    metrics.bytes.inc(Buffer.byteLength(chunk.content));
    if (chunk.content === '' || isTerminal(chunk)) return;
    if (this.lastAt === undefined) times.firstChunk.observe((now - this.startedAt) / 1000);
    else times.betweenChunks.observe((now - this.lastAt) / 1000);
    this.lastAt = now;
  }

  /** The log refused the writer: the stream has another owner. */
  onFenced(): void {
    this.metrics.fenced.inc();
  }

  /** This process no longer produces it: it has ended, or another process owns it. */
  onStop(): void {
    this.metrics.times.duration.observe((performance.now() - this.startedAt) / 1000);
  }
}

/** Registers the histograms of answers. */
function streamHistograms(registry: MetricsRegistry): StreamHistograms {
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
