import { Injectable } from '@nestjs/common';
import { authorize } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import { DomainError, notFound } from '../common/domain-error.js';
import type { MemberRole } from '../protocol/index.js';
import type { StreamRow } from './log/stream.rows.js';
import { StreamsStore } from './log/streams.store.js';

/** Authorizes access to streams. A foreign stream and one that does not exist are both `not_found` (P10). */
@Injectable()
export class StreamAccess {
  constructor(private readonly streams: StreamsStore) {}

  /**
   * Returns a stream whose log `principal` may read: members of its conversation may.
   * @throws {DomainError} `not_found`, or `stream_expired` when its chunks were deleted.
   */
  async readable(principal: Principal, streamId: string): Promise<StreamRow> {
    const { row, role } = await this.find(principal, streamId);
    authorize(principal, 'stream:read', { role });
    if (!row.expired) return row;
    const message =
      'The chunks of this answer have been deleted (STREAM_RETENTION_MS). Read its message in the conversation.';
    throw new DomainError('stream_expired', message);
  }

  /**
   * Returns a stream whose state, without its text, `principal` may see: members and admins may.
   * @throws {DomainError} `not_found`.
   */
  async visible(principal: Principal, streamId: string): Promise<StreamRow> {
    const { row, role } = await this.find(principal, streamId);
    authorize(principal, 'stream:see', { role });
    return row;
  }

  /**
   * Returns a stream that `principal` may pause, resume and cancel: the asker, the conversation's owner and admins may.
   * @throws {DomainError} `not_found`, or `forbidden` for other members.
   */
  async controllable(principal: Principal, streamId: string): Promise<StreamRow> {
    const { row, role } = await this.find(principal, streamId);
    authorize(principal, 'stream:control', { role, askerId: row.userId });
    return row;
  }

  private async find(
    { userId }: Principal,
    streamId: string,
  ): Promise<{ row: StreamRow; role: MemberRole | null }> {
    const found = await this.streams.findFor(streamId, userId);
    if (!found) throw notFound();
    return found;
  }
}
