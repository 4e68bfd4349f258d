import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { withTimeout } from '../../common/deadline.js';
import { DomainError } from '../../common/domain-error.js';
import { newId } from '../../common/ids.js';
import { Quota } from '../../common/quota.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import type { SendPayload } from '../../protocol/index.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { StreamRunners } from '../production/stream-runners.js';
import { StreamingService } from '../streaming.service.js';
import { checkPosition, positionOf, StreamReader, type RequestedPosition } from './stream-reader.js';
import type { Viewer } from './viewer.js';

/** How long viewers that must leave get to receive what was written, in milliseconds. */
const CLOSE_TIMEOUT_MS = 500;

/** Body of `POST /api/ws/stream/sse` and `/http`. */
export interface AskPayload extends Pick<
  SendPayload,
  'conversationId' | 'includeContext' | 'metadata' | 'provider' | 'model'
> {
  message: string;
  clientMessageId?: string;
  chunkSize?: number;
  chunkDelayMs?: number;
}

/** Limits a user's SSE and NDJSON responses on this node: as many as sockets, counted separately. */
@Injectable()
export class ViewerQuota {
  private readonly quota: Quota;
  private readonly countRefusal: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    metrics: LimitsMetrics,
  ) {
    this.quota = new Quota(config.MAX_CONNECTIONS_PER_USER);
    this.countRefusal = metrics.refusalsOf('user_viewers');
  }

  /** Runs `read` as one of the user's responses. @throws {DomainError} `too_many_connections`, which is not retryable. */
  async run<T>(userId: string, read: () => Promise<T>): Promise<T> {
    const release = this.quota.acquire(userId);
    if (!release) {
      this.countRefusal();
      const message = `A user may read ${this.config.MAX_CONNECTIONS_PER_USER} answers over HTTP at once. Close one first.`;
      throw new DomainError('too_many_connections', message, { retryable: false });
    }
    return read().finally(release);
  }
}

/** The SSE and NDJSON responses of this node that read a stream. */
@Injectable()
export class Viewers {
  /** Each viewer with the stream that it reads. */
  private readonly open = new Map<Viewer, string>();

  constructor(
    private readonly streaming: StreamingService,
    private readonly reader: StreamReader,
    private readonly runners: StreamRunners,
    private readonly quota: ViewerQuota,
    metrics: StreamMetrics,
  ) {
    runners.onHandover(() => this.leave());
    for (const transport of ['sse', 'http'] as const) {
      metrics.countViewers(
        transport,
        () => [...this.open.keys()].filter((viewer) => viewer.transport === transport).length,
      );
    }
  }

  /**
   * Asks a question and shows its answer. A repeat of its `clientMessageId` shows the first one's answer, after
   * `Last-Event-ID`.
   * @throws {DomainError} as `StreamingService.send`; `conflict` where the first was sent with `respond: false`;
   * `too_many_connections` before anything is sent.
   */
  ask(
    viewer: Viewer,
    principal: Principal,
    payload: AskPayload,
    requested: RequestedPosition,
  ): Promise<void> {
    return this.quota.run(principal.userId, () => this.askAndFollow(viewer, principal, payload, requested));
  }

  /**
   * Shows a stream from a position on until it ends, the client leaves, or it may no longer read.
   * @throws {DomainError} `not_found`, `stream_expired`, `too_many_connections`, or `invalid_payload` for a position that is
   * malformed or beyond the log's end.
   */
  attach(
    viewer: Viewer,
    principal: Principal,
    streamId: string,
    requested: RequestedPosition,
  ): Promise<void> {
    return this.quota.run(principal.userId, () => this.follow(viewer, principal, streamId, requested));
  }

  private async askAndFollow(
    viewer: Viewer,
    principal: Principal,
    payload: AskPayload,
    { lastEventId }: RequestedPosition,
  ): Promise<void> {
    const { message: content, clientMessageId = newId(), ...rest } = payload;
    const question = { ...rest, content, clientMessageId };
    const { transport, context } = viewer;
    const { streamId, duplicate } = await this.streaming.send(principal, question, { transport, context });
    if (streamId === undefined) {
      throw new DomainError(
        'conflict',
        'A message with this clientMessageId was sent before with respond: false, so it has no answer.',
      );
    }
    await this.follow(viewer, principal, streamId, duplicate ? { lastEventId } : {});
  }

  private async follow(
    viewer: Viewer,
    principal: Principal,
    streamId: string,
    requested: RequestedPosition,
  ): Promise<void> {
    // An EventSource gives up for good at an error status, but not at a lost connection.
    if (this.runners.isLeaving) return viewer.cut();
    this.open.set(viewer, streamId);
    try {
      const fromSequence = positionOf(requested);
      const { row, close } = await this.reader.open(principal, streamId, () => void viewer.leave());
      try {
        checkPosition(fromSequence, row.lastSequence);
        if (row.completedAt && fromSequence > row.lastSequence) return viewer.endEmpty(streamId);
        const { signal } = viewer;
        await viewer.show(streamId, this.reader.follow(principal, row, { fromSequence, signal }));
      } finally {
        close();
      }
    } finally {
      this.open.delete(viewer);
    }
  }

  /** Cuts the viewers whose answer is not produced here, so that they reconnect to another node. */
  private async leave(): Promise<void> {
    const leaving = [...this.open].filter(([, streamId]) => !this.runners.has(streamId));
    const closed = leaving.map(([viewer]) => viewer.leave());
    await withTimeout(Promise.all(closed), CLOSE_TIMEOUT_MS);
  }
}
