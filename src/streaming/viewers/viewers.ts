import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { withTimeout } from '../../common/deadline.js';
import { DomainError } from '../../common/domain-error.js';
import { newId } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { SendPayload } from '../../protocol/index.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { StreamRunners } from '../production/stream-runners.js';
import { StreamingService } from '../streaming.service.js';
import { checkPosition, positionOf, type Wanted } from './position.js';
import { StreamReader } from './stream-reader.js';
import type { Viewer } from './viewer.js';
import { ViewerQuota } from './viewer-quota.js';

/** How long leaving viewers may take for what is on its way, in milliseconds. */
const CLOSE_TIMEOUT_MS = 500;

/** Body of `POST /api/ws/stream/sse` and `/http`. */
export interface Asking extends Pick<
  SendPayload,
  'conversationId' | 'includeContext' | 'metadata' | 'provider' | 'model'
> {
  message: string;
  clientMessageId?: string;
  chunkSize?: number;
  chunkDelayMs?: number;
}

/** The SSE and NDJSON responses of this node that read a stream. */
@Injectable()
export class Viewers {
  /** Each with the stream that it reads. */
  private readonly open = new Map<Viewer, string>();

  constructor(
    private readonly streaming: StreamingService,
    private readonly reader: StreamReader,
    private readonly runners: StreamRunners,
    private readonly quota: ViewerQuota,
    metrics: StreamMetrics,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    runners.whenHandedOver(() => this.leave());
    for (const transport of ['sse', 'http'] as const) {
      metrics.countViewers(
        transport,
        () => [...this.open.keys()].filter((viewer) => viewer.transport === transport).length,
      );
    }
  }

  /**
   * Asks a question and shows its answer. A repeat of its `clientMessageId` shows the first's answer, from where
   * `Last-Event-ID` says.
   * @throws {DomainError} as `StreamingService.send`; `conflict` where the first was sent without asking for an answer;
   * `too_many_connections` before anything is sent.
   */
  ask(viewer: Viewer, principal: Principal, asking: Asking, wanted: Wanted): Promise<void> {
    return this.quota.run(principal.userId, () => this.askNow(viewer, principal, asking, wanted));
  }

  /**
   * Shows a stream from a position on until it ends, the client leaves, or it may read no more.
   * @throws {DomainError} `not_found`, `stream_expired`, `too_many_connections`, or `invalid_payload` for a position that is
   * none of the log.
   */
  attach(viewer: Viewer, principal: Principal, streamId: string, wanted: Wanted): Promise<void> {
    return this.quota.run(principal.userId, () => this.follow(viewer, principal, streamId, wanted));
  }

  private async askNow(
    viewer: Viewer,
    principal: Principal,
    asking: Asking,
    { lastEventId }: Wanted,
  ): Promise<void> {
    const { message: content, clientMessageId = newId(), ...rest } = asking;
    const question = { ...rest, content, clientMessageId };
    const { streamId, duplicate } = await this.streaming.send(principal, question, {
      transport: viewer.transport,
      context: viewer.work,
    });
    if (streamId === undefined) {
      throw new DomainError('conflict', 'This message was sent before, without asking for an answer.');
    }
    await this.follow(viewer, principal, streamId, duplicate ? { lastEventId } : {});
  }

  private async follow(
    viewer: Viewer,
    principal: Principal,
    streamId: string,
    wanted: Wanted,
  ): Promise<void> {
    // An EventSource gives up for good at an error status, but not at a lost connection.
    if (this.runners.isLeaving) return viewer.cut();
    const membership = this.reader.watchMembership(principal, () => void viewer.leave());
    this.open.set(viewer, streamId);
    try {
      const fromSequence = positionOf(wanted);
      const row = await this.streaming.readable(principal, streamId);
      membership.of(row);
      checkPosition(fromSequence, row.last_sequence);
      if (row.completed_at && fromSequence > row.last_sequence) return viewer.answerNothing(streamId);
      const chunks = this.reader.follow(principal, row, { fromSequence, signal: viewer.signal });
      await viewer.show(streamId, chunks, this.config.STREAM_HEARTBEAT_MS);
    } finally {
      this.open.delete(viewer);
      membership.stop();
    }
  }

  /** Lets those go whose answer is not produced here (any more): without a terminal chunk, so that they come back elsewhere. */
  private async leave(): Promise<void> {
    const left = [...this.open].filter(([, streamId]) => !this.runners.has(streamId));
    const closed = left.map(([viewer]) => viewer.leave());
    await withTimeout(Promise.all(closed), CLOSE_TIMEOUT_MS);
  }
}
