import type { StreamStatus } from '../../protocol/index.js';
import type { Relay } from '../../platform/relay/relay.js';
import type { StreamRow } from './stream.rows.js';

/** Why a stream's status changed (protocol section 4.3.6). */
type StatusReason = 'user' | 'pause_timeout' | 'timeout' | 'owner_lost' | 'handover' | 'continued';

interface StatusChange {
  status: StreamStatus;
  lastSequence: number;
  reason?: StatusReason;
}

/** Tells who joined of a stream's new status, after its commit; nothing of a stream that is not shown. */
export function publishStatus(
  relay: Relay,
  {
    id: streamId,
    conversation_id: conversationId,
    options,
  }: Pick<StreamRow, 'id' | 'conversation_id' | 'options'>,
  change: StatusChange,
): void {
  if (!options.visible) return;
  relay.publish('conversation', conversationId, { type: 'stream:status', status: { streamId, ...change } });
}
