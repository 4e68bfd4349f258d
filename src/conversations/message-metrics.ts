import { Injectable } from '@nestjs/common';
import type { GroupCommitObserver } from '../common/group-commit.js';
import { CommitMetrics } from '../platform/database/commit-metrics.js';
import { MetricsRegistry } from '../platform/metrics/registry.js';

type Outcome = 'stored' | 'duplicate' | 'not_found' | 'too_many_streams';

/** What became of messages that people sent. */
@Injectable()
export class MessageMetrics {
  readonly commits: GroupCommitObserver;
  private readonly outcomes: Record<Outcome, { inc: (count: number) => void }>;

  constructor(registry: MetricsRegistry, commits: CommitMetrics) {
    this.commits = commits.of('messages');
    const counter = registry.counter(
      'streamgate_messages_total',
      'Messages of people, and what became of them.',
      ['outcome'],
    );
    this.outcomes = {
      stored: counter.labels('stored'),
      duplicate: counter.labels('duplicate'),
      not_found: counter.labels('not_found'),
      too_many_streams: counter.labels('too_many_streams'),
    };
  }

  /** These were judged in one commit. */
  appended(results: readonly { outcome: Outcome }[]): void {
    const counts = { stored: 0, duplicate: 0, not_found: 0, too_many_streams: 0 };
    for (const { outcome } of results) counts[outcome] += 1;
    for (const [outcome, count] of Object.entries(counts)) {
      if (count > 0) this.outcomes[outcome as Outcome].inc(count);
    }
  }
}
