import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DomainError } from '../../common/domain-error.js';
import { PeriodicTask } from '../../common/periodic-task.js';
import { Relay } from '../../platform/relay/relay.js';
import type { Revocation } from '../../platform/relay/topics.js';
import { RevocationList } from './revocation-list.js';
import { RevocationsStore } from './revocations.store.js';

/** Short enough that a node without a relay still learns of a revocation within a second. */
const POLL_MS = 500;
/** Longer than a statement can take: a row that commits late may be older than rows that were already read. */
const LOOK_BACK_MS = 10_000;
/** All revocations share one topic on the relay. */
const TOPIC_ID = 'all';

/** Revokes tokens and keeps every node informed: by the relay at once, and by polling the database in any case. */
@Injectable()
export class Revocations implements OnModuleInit, OnApplicationShutdown {
  private readonly polls = new PeriodicTask({
    ...{ name: 'read revocations', intervalMs: POLL_MS, runAtOnce: true },
    run: () => this.load(),
  });
  private stopListening = (): void => {};
  /** Time of the latest revocation that this node has read, in milliseconds since 1970 by the database's clock. */
  private latest = 0;

  constructor(
    private readonly store: RevocationsStore,
    private readonly list: RevocationList,
    private readonly relay: Relay,
  ) {}

  /** Runs before the first request: earlier revocations must hold from the start. */
  async onModuleInit(): Promise<void> {
    this.stopListening = this.relay.subscribe('revocation', TOPIC_ID, (revocation) =>
      this.list.add([revocation]),
    );
    await this.load();
    this.polls.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopListening();
    await this.polls.stop();
  }

  /**
   * Revokes one token (`jti`), or every token issued to a user (`sub`) until now. Resolves when the revocation is committed
   * and holds on this node.
   * @throws {DomainError} `conflict` at the limit of revocations.
   */
  async revoke(what: Pick<Revocation, 'kind' | 'value'>): Promise<Revocation> {
    const revocation = await this.store.add(what);
    if (!revocation) {
      throw new DomainError(
        'conflict',
        'The limit of 100000 revocations is reached. Delete old ones from the table revocations.',
      );
    }
    this.list.add([revocation]);
    this.relay.publish('revocation', TOPIC_ID, revocation);
    return revocation;
  }

  private async load(): Promise<void> {
    const revocations = await this.store.since(this.latest - LOOK_BACK_MS);
    this.list.add(revocations);
    for (const { at } of revocations) this.latest = Math.max(this.latest, at);
  }
}
