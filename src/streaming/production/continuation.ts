import { DomainError } from '../../common/domain-error.js';
import type { Config } from '../../platform/config/config.js';
import type { Provider } from '../../providers/provider.js';
import type { StreamMetrics } from '../metrics/stream-metrics.js';
import type { StreamRow } from '../log/stream.rows.js';

interface Continuation {
  row: Pick<StreamRow, 'recoveries'>;
  provider: Pick<Provider, 'canContinue'>;
  limits: Pick<Config, 'STREAM_CONTINUE' | 'STREAM_MAX_CONTINUATIONS'>;
  metrics: StreamMetrics;
  /** The answer's text so far. */
  continueFrom: string;
}

/**
 * Whether an answer that another process began may be gone on with; counts what comes of it. An answer of which nothing
 * was seen can begin anew with any provider.
 * @throws {DomainError} `internal`, which then ends the answer.
 */
export function assertContinuable({ row, provider, limits, metrics, continueFrom }: Continuation): void {
  if (row.recoveries === 0) return;
  const isAllowed = limits.STREAM_CONTINUE && row.recoveries <= limits.STREAM_MAX_CONTINUATIONS;
  const canContinue = isAllowed && (continueFrom === '' || provider.canContinue);
  metrics.takeOver(canContinue);
  if (canContinue) return;
  const message =
    'The server stopped while it produced this answer, and it could not be continued. Ask again.';
  throw new DomainError('internal', message);
}
