import type { SpanStart } from '../../platform/tracing/tracer.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { Delta } from '../../providers/provider.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import type { Relay } from '../../platform/relay/relay.js';
import type { Draft } from './chunker.js';
import type { StreamControlStore } from '../control/stream-control.store.js';
import { publishStatus } from '../log/stream-status.js';
import { FencedError } from './stream-writer.js';
import { toState, type OwnedStream } from '../log/stream.rows.js';

/** Tells who joined that an answer begins to be produced, or goes on. */
export function publishBeginning(relay: Relay, row: OwnedStream): void {
  if (row.last_sequence < 0 && row.options.visible) {
    relay.publish('conversation', row.conversation_id, { type: 'stream:started', stream: toState(row) });
  }
  if (row.recoveries > 0) {
    const { status, last_sequence: lastSequence } = row;
    publishStatus(relay, row, { status, lastSequence, reason: 'continued' });
  }
}

/** Chunk 0 (protocol section 4.6). `end_stream` writes the same where a stream ends before its owner could. */
function openingOf(row: OwnedStream): Draft {
  const { id: streamId, conversation_id: conversationId, message_id: messageId, reply_to: replyTo } = row;
  const { provider, model, used_fallback: usedFallback } = row;
  const ids = { streamId, conversationId, messageId, replyTo };
  const metadata = { ...ids, provider, model, ...(usedFallback && { usedFallback }) };
  return { type: 'metadata', content: '', metadata };
}

/** Of the call to the provider that the answer is asked of, with its tries and its fallback. */
export function callSpan({ model, provider }: OwnedStream, context: RequestContext): SpanStart {
  const request = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': model };
  return { kind: 'client', context, attributes: { ...request, 'gen_ai.provider.name': provider } };
}

interface Opening {
  row: OwnedStream;
  call: ProviderCall;
  states: StreamControlStore;
}

/**
 * Waits for an answer's first delta. Where nothing of it is in the log, chunk 0 says who gives it, which may be the
 * fallback; otherwise it has been said, and only the same provider may go on.
 * @throws as `ProviderCall.open`, and {FencedError}.
 */
export async function openAnswer(
  { row, call, states }: Opening,
  request: Parameters<ProviderCall['open']>[0],
): Promise<{ deltas: AsyncIterable<Delta>; opening: Draft[] }> {
  const isNew = row.last_sequence < 0;
  const { provider, model, usedFallback, deltas } = await call.open(request, isNew);
  if (!isNew) return { deltas, opening: [] };
  const { id, epoch } = row;
  if (usedFallback && !(await states.setFallback({ id, epoch, provider, model }))) {
    throw new FencedError(`stream ${id} is not at epoch ${epoch} any more`);
  }
  const used_fallback = row.used_fallback || usedFallback;
  return { deltas, opening: [openingOf({ ...row, provider, model, used_fallback })] };
}
