import { Inject, Injectable } from '@nestjs/common';
import { NodeIdentity } from '../../common/ids.js';
import { COUNT, FLAG, arrayOf, nullable, NUMBER, objectSchema, TEXT } from '../../protocol/schemas/schema.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { Draining } from '../../platform/lifecycle/draining.js';
import { EventLoopDelay, type EventLoopDelayFigures } from '../../platform/metrics/event-loop-delay.js';
import { MetricReader, type Buckets } from './metric-reader.js';

/** How long figures are reused, in milliseconds, so that many open dashboards cost no more than one. */
const CACHE_TTL_MS = 500;

/**
 * Response of `GET /api/ws/dashboard`: figures of the process that responds. Totals count from its start; null where
 * unknown.
 */
export interface DashboardFigures {
  node: string;
  /** Age of the process when the figures were read, in milliseconds. */
  uptimeMs: number;
  draining: boolean;
  connections: { websocket: number; polling: number; max: number; users: number };
  totals: { messages: number; events: number; chunks: number };
  streams: { running: number; failed: number };
  timeToFirstChunk: Buckets;
  /** Waiting deliveries; null if they could not be counted. */
  queued: number | null;
  /** Delay since the previous figures. */
  eventLoop: Omit<EventLoopDelayFigures, 'meanMs'>;
  pool: { busy: number; idle: number; waiting: number; max: number };
  providers: { name: string; breaker: string }[];
  rssBytes: number;
}

type Part<K extends keyof DashboardFigures> = DashboardFigures[K];

/** The schema of {@link DashboardFigures}. */
export const FIGURES = objectSchema<DashboardFigures>({
  node: TEXT,
  uptimeMs: COUNT,
  draining: FLAG,
  connections: objectSchema<Part<'connections'>>({
    websocket: COUNT,
    polling: COUNT,
    max: COUNT,
    users: COUNT,
  }),
  totals: objectSchema<Part<'totals'>>({ messages: COUNT, events: COUNT, chunks: COUNT }),
  streams: objectSchema<Part<'streams'>>({ running: COUNT, failed: COUNT }),
  timeToFirstChunk: objectSchema<Buckets>({ bounds: arrayOf(NUMBER), counts: arrayOf(COUNT) }),
  queued: nullable(COUNT),
  eventLoop: objectSchema<Part<'eventLoop'>>({ p50Ms: NUMBER, p99Ms: NUMBER, maxMs: NUMBER }),
  pool: objectSchema<Part<'pool'>>({ busy: COUNT, idle: COUNT, waiting: COUNT, max: COUNT }),
  providers: arrayOf(objectSchema<Part<'providers'>[number]>({ name: TEXT, breaker: TEXT })),
  rssBytes: COUNT,
});

/** Collects the live figures of the dashboard. */
@Injectable()
export class DashboardService {
  private figures: Promise<DashboardFigures> | undefined;
  private collectedAt = -Infinity;

  constructor(
    private readonly metrics: MetricReader,
    private readonly eventLoop: EventLoopDelay,
    private readonly node: NodeIdentity,
    private readonly draining: Draining,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Returns the figures, at most half a second old. */
  read(): Promise<DashboardFigures> {
    const now = performance.now();
    if (this.figures && now - this.collectedAt < CACHE_TTL_MS) return this.figures;
    this.collectedAt = now;
    this.figures = this.collect();
    return this.figures;
  }

  private async collect(): Promise<DashboardFigures> {
    const { metrics, config } = this;
    return {
      node: this.node.id,
      uptimeMs: Math.round(performance.now()),
      draining: this.draining.active,
      connections: await this.connections(),
      totals: {
        messages: await this.count('streamgate_messages_total', { outcome: 'stored' }),
        events: await this.count('streamgate_events_total'),
        chunks: await this.count('streamgate_streams_chunks_total'),
      },
      streams: {
        running: await this.count('streamgate_streams_running'),
        failed: await this.count('streamgate_streams_ended_total', { status: 'failed' }),
      },
      timeToFirstChunk: await metrics.buckets('streamgate_stream_time_to_first_chunk_seconds'),
      queued: await metrics.sum('streamgate_queue_deliveries', { state: 'queued' }),
      eventLoop: this.eventLoopDelay(),
      pool: {
        busy: await this.count('streamgate_database_pool_connections', { state: 'busy' }),
        idle: await this.count('streamgate_database_pool_connections', { state: 'idle' }),
        waiting: await this.count('streamgate_database_pool_waiting'),
        max: config.DATABASE_POOL_SIZE,
      },
      providers: await this.providers(),
      rssBytes: process.memoryUsage.rss(),
    };
  }

  private async connections(): Promise<DashboardFigures['connections']> {
    return {
      websocket: await this.count('streamgate_connections', { transport: 'websocket' }),
      polling: await this.count('streamgate_connections', { transport: 'polling' }),
      max: this.config.MAX_CONNECTIONS,
      users: await this.count('streamgate_connected_users'),
    };
  }

  private async providers(): Promise<DashboardFigures['providers']> {
    const states = await this.metrics.set('streamgate_provider_breaker_state');
    return states.map(({ provider = '', state = '' }) => ({ name: provider, breaker: state }));
  }

  private eventLoopDelay(): DashboardFigures['eventLoop'] {
    const { p50Ms, p99Ms, maxMs } = this.eventLoop.read();
    this.eventLoop.reset();
    return { p50Ms, p99Ms, maxMs };
  }

  private async count(name: string, labels?: Record<string, string>): Promise<number> {
    return (await this.metrics.sum(name, labels)) ?? 0;
  }
}
