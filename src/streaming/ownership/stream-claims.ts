import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { Relay } from '../../platform/relay/relay.js';
import { NodesStore, type Interrupted } from './nodes.store.js';
import { StreamEnder } from '../production/stream-ender.js';
import { StreamRunners } from '../production/stream-runners.js';
import type { OwnedStream } from '../log/stream.rows.js';
import { publishStatus } from '../log/stream-status.js';

/** Streams that lost their owner: finds them, and goes on with them on this node (P5). */
@Injectable()
export class StreamClaims {
  /** Owned by this node and not running on it, at the last look. */
  private suspects = new Set<string>();

  constructor(
    private readonly nodes: NodesStore,
    private readonly runners: StreamRunners,
    private readonly ender: StreamEnder,
    private readonly relay: Relay,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Continues an interrupted stream here. Null where it is not interrupted, or this node has no room or is leaving. */
  async claim(streamId: string): Promise<OwnedStream | null> {
    if (this.runners.room === 0) return null;
    const [claimed] = await this.nodes.claim(1, streamId);
    if (claimed) this.runners.adopt(claimed);
    return claimed ?? null;
  }

  /** Continues as many interrupted streams as this node has room for. */
  async claimAll(): Promise<void> {
    const { room } = this.runners;
    if (room === 0) return;
    for (const row of await this.nodes.claim(room)) this.runners.adopt(row);
  }

  /** Interrupts the streams of dead owners. */
  async interruptDead(): Promise<void> {
    for (
      let taken = await this.nodes.interruptDead();
      taken.length > 0;
      taken = await this.nodes.interruptDead()
    ) {
      this.tell(taken);
    }
  }

  /**
   * Holds what runs here against what the database says is this node's: stops what is not, tells of pauses that were
   * not heard, and interrupts what nobody here runs, because its beginning or its end has failed.
   */
  async compare(): Promise<void> {
    const before = this.runners.ids();
    const own = await this.nodes.own();
    this.runners.reconcile(before, own);
    const idle = own.map(({ id }) => id).filter((id) => !this.runners.has(id));
    // One look alone may fall between a stream's commit and its start.
    const orphans = idle.filter((id) => this.suspects.has(id));
    this.suspects = new Set(idle);
    if (orphans.length > 0) this.tell(await this.nodes.interruptOwn(orphans));
  }

  /** Cancels streams that stayed paused for too long after their owner had died. */
  async endOverduePauses(): Promise<void> {
    const overdue = await this.nodes.overduePauses(this.config.STREAM_MAX_PAUSE_MS);
    for (const { id: streamId, version, options } of overdue) {
      await this.ender.endPause({ streamId, version, visible: options.visible });
    }
  }

  private tell(taken: readonly Interrupted[]): void {
    for (const stream of taken) {
      this.runners.forget(stream.id);
      const { status, last_sequence: lastSequence } = stream;
      if (status === 'interrupted')
        publishStatus(this.relay, stream, { status, lastSequence, reason: 'owner_lost' });
    }
  }
}
