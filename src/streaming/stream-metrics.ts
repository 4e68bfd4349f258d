import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { isTerminal, type Chunk, type StreamStatus, type StreamTransport } from '../protocol/index.js';

// Bounds in seconds, as OpenTelemetry's semantic conventions for generative AI advise for the metric named with each.
const REQUEST_DURATION = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TIME_TO_FIRST_TOKEN = [
  ...[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
];
const TIME_PER_OUTPUT_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const DELIVERY = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const VIEWER_TRANSPORTS = ['websocket', 'sse', 'http'] as const;
type ViewerCounts = Record<StreamTransport, () => number>;

/** What this process has counted of its streams since it started; histograms in seconds with fixed bounds. */
@Injectable()
export class StreamMetrics {
  /** For a page of Prometheus text. */
  readonly registry = new Registry();
  readonly started = this.counter('started_total', 'Answers begun here.', 'transport');
  readonly ended = this.counter('ended_total', 'Answers ended by this process.', 'status');
  readonly interrupted = this.counter('interrupted_total', 'Answers found without a living owner.');
  readonly continued = this.counter('continued_total', 'Interrupted answers that this process went on with.');
  readonly lost = this.counter('lost_total', 'Interrupted answers that this process could only end.');
  readonly fenced = this.counter(
    'fenced_total',
    'Writers refused by the log: their answer had another owner.',
  );
  readonly chunks = this.counter('chunks_total', 'Chunks written to the log.');
  readonly bytes = this.counter('bytes_total', 'UTF-8 bytes of text in them.');
  readonly replayed = this.counter('replayed_chunks_total', 'Chunks read from the log for viewers.');
  readonly duration = this.histogram(
    'duration_seconds',
    'From the beginning of an answer here to its end (gen_ai.server.request.duration).',
    REQUEST_DURATION,
  );
  readonly firstChunk = this.histogram(
    'time_to_first_chunk_seconds',
    'From the beginning of an answer to its first text (gen_ai.server.time_to_first_token).',
    TIME_TO_FIRST_TOKEN,
  );
  readonly betweenChunks = this.histogram(
    'time_between_chunks_seconds',
    'Between two chunks of an answer (as gen_ai.server.time_per_output_token, for chunks).',
    TIME_PER_OUTPUT_TOKEN,
  );
  readonly delivery = this.histogram(
    'chunk_delivery_seconds',
    'From a chunk of the provider’s text to its write to the viewers: the log’s commit in between.',
    DELIVERY,
  );
  private readonly counts: ViewerCounts = { websocket: () => 0, sse: () => 0, http: () => 0 };
  readonly viewers = this.viewerGauge();

  /** Names who counts the viewers of a transport. */
  countViewers(transport: StreamTransport, count: () => number): void {
    this.counts[transport] = count;
  }

  /** How many read by each transport now. */
  viewerCounts(): Record<StreamTransport, number> {
    const { websocket, sse, http } = this.counts;
    return { websocket: websocket(), sse: sse(), http: http() };
  }

  /** An answer begins to be produced here; `isNew` unless another process had begun it. */
  begin(transport: StreamTransport, isNew: boolean): StreamMeter {
    if (isNew) this.started.inc({ transport });
    return new StreamMeter(this);
  }

  /** An interrupted answer was claimed by this process. */
  takeOver(canContinue: boolean): void {
    (canContinue ? this.continued : this.lost).inc();
  }

  /** An answer was ended by this process. */
  end(status: StreamStatus): void {
    this.ended.inc({ status });
    // The terminal chunk.
    this.chunks.inc();
  }

  private counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: `streamgate_streams_${name}`, help, labelNames, registers: [this.registry] });
  }

  private histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `streamgate_stream_${name}`, help, buckets, registers: [this.registry] });
  }

  private viewerGauge(): Gauge {
    const viewerCounts = (): Record<StreamTransport, number> => this.viewerCounts();
    return new Gauge({
      name: 'streamgate_stream_viewers',
      help: 'Readers of answers now; sockets once for each conversation that they joined.',
      labelNames: ['transport'],
      registers: [this.registry],
      collect() {
        const counts = viewerCounts();
        for (const transport of VIEWER_TRANSPORTS) this.set({ transport }, counts[transport]);
      },
    });
  }
}

/** The clockwork of one answer while this process produces it. */
export class StreamMeter {
  private readonly begunAt = performance.now();
  private readonly cutAt: number[] = [];
  private lastAt: number | undefined;

  constructor(private readonly metrics: StreamMetrics) {}

  /** A chunk is complete and goes to the log. */
  cut(): void {
    this.cutAt.push(performance.now());
  }

  /** The chunk that was cut first of those under way is in the log, and was written to who hears it. */
  shown(chunk: Chunk): void {
    const { metrics } = this;
    const now = performance.now();
    const cutAt = this.cutAt.shift();
    if (cutAt !== undefined) metrics.delivery.observe((now - cutAt) / 1000);
    metrics.chunks.inc();
    metrics.bytes.inc(Buffer.byteLength(chunk.content));
    if (chunk.content === '' || isTerminal(chunk)) return;
    if (this.lastAt === undefined) metrics.firstChunk.observe((now - this.begunAt) / 1000);
    else metrics.betweenChunks.observe((now - this.lastAt) / 1000);
    this.lastAt = now;
  }

  /** The log refused it: it has another owner. */
  fence(): void {
    this.metrics.fenced.inc();
  }

  /** This process produces it no more: it has ended, or is another's. */
  stop(): void {
    this.metrics.duration.observe((performance.now() - this.begunAt) / 1000);
  }
}
