import { Injectable } from '@nestjs/common';
import type { Principal } from '../../auth/principal.js';
import { DomainError, notFound } from '../../common/domain-error.js';
import type { ControlResult } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import { StreamAccess } from '../stream-access.js';
import { StreamClaims } from '../ownership/stream-claims.js';
import { publishStatus } from '../log/stream-events.js';
import { StreamsStore, type Controlled } from '../log/streams.store.js';
import { StreamEnder } from '../production/stream-ender.js';

/** Pauses, resumes and cancels streams, whichever node owns them (P6). */
@Injectable()
export class StreamControls {
  constructor(
    private readonly access: StreamAccess,
    private readonly streams: StreamsStore,
    private readonly ender: StreamEnder,
    private readonly claims: StreamClaims,
    private readonly relay: Relay,
  ) {}

  /**
   * Pauses a stream for all its viewers: once this resolves nothing enters its log until it is resumed. Idempotent.
   * @throws {DomainError} `not_found`, `forbidden` or `stream_ended`.
   */
  async pause(principal: Principal, streamId: string): Promise<ControlResult> {
    const row = await this.access.controllable(principal, streamId);
    const result = found(await this.streams.pause(streamId));
    const { changed, status, lastSequence, version } = result;
    if (status !== 'paused') throw ended(result);
    if (changed) {
      this.relay.publish('stream', streamId, { type: 'paused', version });
      publishStatus(this.relay, row, { status, lastSequence, reason: 'user' });
    }
    return { status, lastSequence };
  }

  /**
   * Resumes a stream exactly where it was paused. Idempotent.
   * @throws {DomainError} `not_found`, `forbidden` or `stream_ended`.
   */
  async resume(principal: Principal, streamId: string): Promise<ControlResult> {
    const row = await this.access.controllable(principal, streamId);
    const result = found(await this.streams.resume(streamId));
    const { changed, status, lastSequence, version } = result;
    if (isEnded(result)) throw ended(result);
    if (changed) {
      this.relay.publish('stream', streamId, { type: 'resumed', version });
      publishStatus(this.relay, row, { status, lastSequence, reason: 'user' });
    }
    // Its owner died during the pause.
    const claimed = status === 'interrupted' ? await this.claims.claim(streamId) : null;
    return claimed
      ? { status: claimed.status, lastSequence: claimed.lastSequence }
      : { status, lastSequence };
  }

  /**
   * Cancels a stream: once this resolves nothing enters its log. Idempotent.
   * @throws {DomainError} `not_found`, `forbidden`, or `stream_ended` when it has ended in another way.
   */
  async cancel(principal: Principal, streamId: string): Promise<ControlResult> {
    const row = await this.access.controllable(principal, streamId);
    const { visible } = row.options;
    const result = await this.ender.end({ streamId, type: 'cancelled', reason: 'user', visible });
    if (result.outcome === 'not_found') throw notFound();
    const { status, lastSequence } = result;
    if (status !== 'cancelled') throw ended(result);
    return { status, lastSequence };
  }
}

function found(result: Controlled | null): Controlled {
  if (!result) throw notFound();
  return result;
}

function isEnded({ status }: Pick<Controlled, 'status'>): boolean {
  return status === 'completed' || status === 'cancelled' || status === 'failed';
}

function ended({ status }: Pick<Controlled, 'status'>): DomainError {
  return new DomainError('stream_ended', `The stream has already ended: its status is ${status}.`);
}
