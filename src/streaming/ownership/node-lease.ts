import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PeriodicTask } from '../../common/periodic-task.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { NodesStore } from './nodes.store.js';
import { StreamClaims } from './stream-claims.js';
import { StreamRunners } from '../production/stream-runners.js';

/** Longest interval of sweeps: a stream that another process hands over is claimed within it. */
const MAX_SWEEP_MS = 1000;

const ADVICE =
  'Stop one of them, unless this is a deploy: clients receive what the other one stores only later, or after they join again.';

/** Renews this process's lease, and claims the streams of processes that have lost theirs. */
@Injectable()
export class NodeLease implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly renewals: PeriodicTask;
  private readonly sweeps: PeriodicTask;
  /** From when this process may declare others dead, by its own monotonic clock. */
  private evaluatesFrom = 0;
  private leaving: Promise<void> | undefined;
  /** When this node's first lease ended: what has a later one has renewed it since, and so is alive. */
  private firstLeaseUntil: string | null = null;
  private others = 0;
  private readonly logger = new Logger(NodeLease.name);

  constructor(
    private readonly nodes: NodesStore,
    private readonly claims: StreamClaims,
    private readonly runners: StreamRunners,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    const renewMs = config.STREAM_LEASE_MS / 3;
    this.renewals = new PeriodicTask({
      ...{ name: 'renew the lease of this node', intervalMs: renewMs, runAtOnce: true },
      run: () => this.renew(),
    });
    this.sweeps = new PeriodicTask({
      ...{ name: 'take over streams', intervalMs: Math.min(renewMs, MAX_SWEEP_MS), runAtOnce: true },
      run: () => this.sweep(),
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.nodes.renew();
    this.firstLeaseUntil = (await this.nodes.neighbours(null)).leaseUntil;
    this.renewals.start();
    this.sweeps.start();
  }

  /** Other processes that work on the same database, as of the last renewal. */
  get otherNodes(): number {
    return this.others;
  }

  /** Stops claiming, and ends or hands over what runs here. The lease is kept until nothing runs here. */
  leave(): Promise<void> {
    this.leaving ??= this.end();
    return this.leaving;
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.leave();
  }

  private async end(): Promise<void> {
    await this.sweeps.stop();
    await this.runners.leave();
    await this.renewals.stop();
    await this.nodes.leave();
  }

  private async renew(): Promise<void> {
    const wasHeld = await this.nodes.renew();
    // What kept this process from renewing in time (a slow database) may have affected the others too.
    if (!wasHeld) this.evaluatesFrom = performance.now() + this.config.STREAM_LEASE_MS;
    await this.claims.compare();
    await this.countOthers();
  }

  private async countOthers(): Promise<void> {
    const { others } = await this.nodes.neighbours(this.firstLeaseUntil);
    if (others > 0 && this.others === 0) {
      this.logger.warn('another server uses this database, and no relay connects them', {
        others,
        advice: ADVICE,
      });
    }
    this.others = others;
  }

  private async sweep(): Promise<void> {
    if (performance.now() >= this.evaluatesFrom) await this.claims.interruptDead();
    await this.nodes.forgetDead();
    await this.claims.endOverduePauses();
    await this.claims.claimAll();
  }
}
