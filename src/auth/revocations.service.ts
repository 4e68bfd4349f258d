import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DomainError } from '../common/domain-error.js';
import { PeriodicTask } from '../common/periodic-task.js';
import { Relay } from '../platform/relay/relay.js';
import type { Revocation } from '../platform/relay/topics.js';
import { RevocationList } from './revocation-list.js';
import { RevocationsStore } from './revocations.store.js';

/** With this a node that hears nothing by the relay still learns of a revocation within a second. */
const POLL_MS = 500;
/** Longer than a statement can take: what is committed late is behind others that were seen already. */
const LOOK_BACK_MS = 10_000;
/** On the relay all revocations are one topic. */
const TOPIC_ID = 'all';

/** Revokes tokens, and sees to it that every node knows: by the relay at once, by asking the database in any case. */
@Injectable()
export class Revocations implements OnModuleInit, OnApplicationShutdown {
  private readonly polls = new PeriodicTask({
    ...{ name: 'read revocations', intervalMs: POLL_MS, runAtOnce: true },
    run: () => this.load(),
  });
  private stopListening = (): void => {};
  /** The latest that this node has read, in milliseconds since 1970 by the database's clock. */
  private latest = 0;

  constructor(
    private readonly store: RevocationsStore,
    private readonly list: RevocationList,
    private readonly relay: Relay,
  ) {}

  /** Before anybody is served: what was revoked before this start holds from the first request on. */
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
   * Revokes one token (`jti`), or every token that a user (`sub`) has been given up to now. Resolves when it is committed
   * and holds on this node.
   * @throws {DomainError} `conflict` where there are as many revocations as there may be.
   */
  async revoke(what: Pick<Revocation, 'kind' | 'value'>): Promise<Revocation> {
    const revocation = await this.store.add(what);
    if (!revocation) {
      throw new DomainError('conflict', 'There are as many revocations as there may be. Delete old ones.');
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
