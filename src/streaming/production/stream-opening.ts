import { DomainError } from '../../common/domain-error.js';
import type { Config } from '../../platform/config/config.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { SpanStart } from '../../platform/tracing/tracer.js';
import type { Delta } from '../../providers/provider.js';
import type { ProviderCall } from '../../providers/resilience/provider-call.js';
import type { ChunkLogStore } from '../log/chunk-log.store.js';
import type { OwnedStream } from '../log/stream.rows.js';
import type { StreamMetrics } from '../metrics/stream-metrics.js';
import type { Draft } from './chunker.js';
import { FencedError } from './stream-writer.js';

interface Continuation {
  row: Pick<OwnedStream, 'recoveries'>;
  call: Pick<ProviderCall, 'canContinue'>;
  limits: Pick<Config, 'STREAM_CONTINUE' | 'STREAM_MAX_CONTINUATIONS'>;
  metrics: StreamMetrics;
  /** The answer's text so far. */
  continueFrom: string;
}

/**
 * Checks that an answer which another process started may be continued, and counts the outcome. An answer without text so
 * far can start again with any provider.
 * @throws {DomainError} `internal`, which then ends the answer.
 */
export function assertContinuable({ row, call, limits, metrics, continueFrom }: Continuation): void {
  if (row.recoveries === 0) return;
  const isAllowed = limits.STREAM_CONTINUE && row.recoveries <= limits.STREAM_MAX_CONTINUATIONS;
  const canContinue = isAllowed && (continueFrom === '' || call.canContinue);
  metrics.onTakeover(canContinue);
  if (canContinue) return;
  const message =
    'The server stopped while it produced this answer, and it could not be continued. Ask again.';
  throw new DomainError('internal', message);
}

/** Describes the span of the call to the requested provider, with its retries and its fallback. */
export function callSpan({ model, provider }: OwnedStream, context: RequestContext): SpanStart {
  const request = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': model };
  return { kind: 'client', context, attributes: { ...request, 'gen_ai.provider.name': provider } };
}

interface Opening {
  row: OwnedStream;
  call: ProviderCall;
  log: Pick<ChunkLogStore, 'setFallback'>;
}

/**
 * Waits for an answer's first delta. Where the log is empty, the result has chunk 0, which names the provider, possibly the
 * fallback. Otherwise chunk 0 was written before, and only the same provider may continue.
 * @throws as `ProviderCall.open`, and {FencedError}.
 */
export async function openAnswer(
  { row, call, log }: Opening,
  request: Parameters<ProviderCall['open']>[0],
): Promise<{ deltas: AsyncIterable<Delta>; opening: Draft[] }> {
  const isNew = row.lastSequence < 0;
  const { provider, model, usedFallback, deltas } = await call.open(request, isNew);
  if (!isNew) return { deltas, opening: [] };
  const { id, epoch } = row;
  if (usedFallback && !(await log.setFallback({ id, epoch, provider, model }))) {
    throw new FencedError(`stream ${id} is no longer at epoch ${epoch}`);
  }
  const opening = openingChunk({ ...row, provider, model, usedFallback: row.usedFallback || usedFallback });
  return { deltas, opening: [opening] };
}

/** Chunk 0 (protocol section 4.6). `end_stream` writes the same where a stream ends before its owner could. */
function openingChunk(row: OwnedStream): Draft {
  const { id: streamId, conversationId, messageId, replyTo, provider, model, usedFallback } = row;
  const ids = { streamId, conversationId, messageId, replyTo };
  return {
    type: 'metadata',
    content: '',
    metadata: { ...ids, provider, model, ...(usedFallback && { usedFallback }) },
  };
}
