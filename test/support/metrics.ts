import { MessageMetrics } from '../../src/conversations/append.store.js';
import { CommitMetrics } from '../../src/platform/database/commit-metrics.js';
import { MetricsRegistry } from '../../src/platform/metrics/registry.js';

/** What stores count with that a test makes by itself. */
export function testMetrics(): { commits: CommitMetrics; messages: MessageMetrics } {
  const registry = new MetricsRegistry();
  const commits = new CommitMetrics(registry);
  return { commits, messages: new MessageMetrics(registry, commits) };
}
