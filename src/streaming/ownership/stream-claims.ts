import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { Relay } from '../../platform/relay/relay.js';
import { NodesStore, type Interrupted } from './nodes.store.js';
import { StreamEnder } from '../production/stream-ender.js';
import { StreamRunners } from '../production/stream-runners.js';
import { publishStatus } from '../log/stream-events.js';
import type { OwnedStream } from '../log/stream.rows.js';

/** Finds streams that have lost their owner, and continues them on this node (P5). */
@Injectable()
export class StreamClaims {
  /** Streams of this node that did not run on it at the last comparison. */
  private suspects = new Set<string>();

  constructor(
    private readonly nodes: NodesStore,
    private readonly runners: StreamRunners,
    private readonly ender: StreamEnder,
    private readonly relay: Relay,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Continues an interrupted stream here. Null where it is not interrupted, or this node has no free slot or is leaving. */
  async claim(streamId: string): Promise<OwnedStream | null> {
    if (this.runners.freeSlots === 0) return null;
    const [claimed] = await this.nodes.claim(1, streamId);
    if (claimed) this.runners.adopt(claimed);
    return claimed ?? null;
  }

  /** Continues as many interrupted streams as this node has free slots. */
  async claimAll(): Promise<void> {
    const { freeSlots } = this.runners;
    if (freeSlots === 0) return;
    for (const row of await this.nodes.claim(freeSlots)) this.runners.adopt(row);
  }

  /** Interrupts the streams of dead owners. */
  async interruptDead(): Promise<void> {
    for (;;) {
      const taken = await this.nodes.interruptDead();
      if (taken.length === 0) return;
      this.onInterrupted(taken);
    }
  }

  /**
   * Compares what runs here with the streams that this node owns by the database: stops runners of other streams, applies
   * pauses whose notification was lost, and interrupts streams that do not run here because their start or end failed.
   */
  async compare(): Promise<void> {
    const before = this.runners.ids();
    const own = await this.nodes.own();
    this.runners.reconcile(before, own);
    const idle = own.map(({ id }) => id).filter((id) => !this.runners.has(id));
    // A stream may be committed and not yet started: it must be missing in two comparisons.
    const orphans = idle.filter((id) => this.suspects.has(id));
    this.suspects = new Set(idle);
    if (orphans.length > 0) this.onInterrupted(await this.nodes.interruptOwn(orphans));
  }

  /** Cancels streams without an owner that have been paused for too long. */
  async endOverduePauses(): Promise<void> {
    const overdue = await this.nodes.overduePauses(this.config.STREAM_MAX_PAUSE_MS);
    for (const { id: streamId, version, options } of overdue) {
      await this.ender.endPause({ streamId, version, visible: options.visible });
    }
  }

  private onInterrupted(taken: readonly Interrupted[]): void {
    for (const stream of taken) {
      this.runners.onInterrupted(stream.id);
      const { status, lastSequence } = stream;
      if (status === 'interrupted')
        publishStatus(this.relay, stream, { status, lastSequence, reason: 'owner_lost' });
    }
  }
}
