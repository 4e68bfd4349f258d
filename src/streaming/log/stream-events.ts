import type { CancelReason, StreamStatus } from '../../protocol/index.js';
import type { Relay } from '../../platform/relay/relay.js';
import { toState, type StreamRow } from './stream.rows.js';
import type { EndedStream } from './streams.store.js';

/** Why a stream's status changed (protocol section 4.3.6). */
type StatusReason = 'user' | 'pause_timeout' | 'timeout' | 'owner_lost' | 'handover' | 'continued';

interface StatusChange {
  status: StreamStatus;
  lastSequence: number;
  reason?: StatusReason;
}

/** Publishes to the conversation that an answer begins, or is continued. */
export function publishStarted(relay: Relay, row: StreamRow): void {
  const { conversationId, status, lastSequence, recoveries, options } = row;
  if (lastSequence < 0 && options.visible)
    relay.publish('conversation', conversationId, { type: 'stream:started', stream: toState(row) });
  if (recoveries > 0) publishStatus(relay, row, { status, lastSequence, reason: 'continued' });
}

/** Publishes a stream's new status to its conversation, after the commit. Invisible streams publish nothing. */
export function publishStatus(
  relay: Relay,
  { id: streamId, conversationId, options }: Pick<StreamRow, 'id' | 'conversationId' | 'options'>,
  change: StatusChange,
): void {
  if (!options.visible) return;
  relay.publish('conversation', conversationId, { type: 'stream:status', status: { streamId, ...change } });
}

/** Publishes the terminal chunk of a visible stream and its final status, after the commit. */
export function publishEnd(relay: Relay, ended: EndedStream, reason: CancelReason | undefined): void {
  const { conversationId, opening, chunk, status, lastSequence } = ended;
  const { streamId } = chunk;
  for (const one of opening ? [opening, chunk] : [chunk])
    relay.publish('conversation', conversationId, { type: 'stream:chunk', chunk: one });
  const change = { streamId, status, lastSequence, ...(reason && { reason }) };
  relay.publish('conversation', conversationId, { type: 'stream:status', status: change });
}
