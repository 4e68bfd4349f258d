import { Injectable } from '@nestjs/common';
import type { Counter, Gauge } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { isTerminal, type Chunk, type StreamStatus, type StreamTransport } from '../../protocol/index.js';
import { streamHistograms, type StreamHistograms } from './stream-histograms.js';

const VIEWER_TRANSPORTS = ['websocket', 'sse', 'http'] as const;
type ViewerCounts = Record<StreamTransport, () => number>;

/** What this process has counted of its streams since it started; histograms in seconds with fixed bounds. */
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
  /** Set by who produces the answers. */
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
  begin(transport: StreamTransport, isNew: boolean): StreamStats {
    if (isNew) this.started.inc({ transport });
    return new StreamStats(this);
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

  private setViewers(gauge: Gauge<'transport'>): void {
    const counts = this.viewerCounts();
    for (const transport of VIEWER_TRANSPORTS) gauge.set({ transport }, counts[transport]);
  }
}

/** The clockwork of one answer while this process produces it. */
export class StreamStats {
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
    const { times } = metrics;
    const now = performance.now();
    const cutAt = this.cutAt.shift();
    if (cutAt !== undefined) times.delivery.observe((now - cutAt) / 1000);
    metrics.chunks.inc();
    metrics.bytes.inc(Buffer.byteLength(chunk.content));
    if (chunk.content === '' || isTerminal(chunk)) return;
    if (this.lastAt === undefined) times.firstChunk.observe((now - this.begunAt) / 1000);
    else times.betweenChunks.observe((now - this.lastAt) / 1000);
    this.lastAt = now;
  }

  /** The log refused it: it has another owner. */
  fence(): void {
    this.metrics.fenced.inc();
  }

  /** This process produces it no more: it has ended, or is another's. */
  stop(): void {
    this.metrics.times.duration.observe((performance.now() - this.begunAt) / 1000);
  }
}
