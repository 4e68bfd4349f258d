import { Inject, Injectable } from '@nestjs/common';
import { NodeIdentity } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { DedicatedConnection, Statement } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import type { StreamStatus } from '../../protocol/index.js';
import type { PauseState } from '../control/pause-gate.js';
import { OWNED_COLUMNS, type OwnedStream, type StreamOptions } from '../log/stream.rows.js';

/** A running stream of this node, as the database has it. */
export interface OwnStream extends PauseState {
  id: string;
  epoch: number;
}

/** A stream that was taken from its owner. */
export interface Interrupted {
  id: string;
  conversation_id: string;
  options: StreamOptions;
  /** `interrupted`, or still `paused`. */
  status: StreamStatus;
  last_sequence: number;
}

/** A stream that has been paused for too long. */
export interface OverduePause {
  id: string;
  version: number;
  options: StreamOptions;
}

const BATCH = 200;

/** Renews or makes this node's row; says whether there was one that had run out or was gone. */
const RENEW: Statement = {
  name: 'renew_lease',
  text: `with before as (select lease_until > now() as held from nodes where id = $1)
    insert into nodes (id, lease_until) values ($1, clock_timestamp() + $2 * interval '1 millisecond')
    on conflict (id) do update set lease_until = excluded.lease_until
    returning coalesce((select held from before), false) as held`,
};

const OWN: Statement = {
  name: 'own_streams',
  text: `select id, epoch, status = 'paused' as paused, control_version as version from streams
    where owner_node = $1 and completed_at is null`,
};

/**
 * Takes streams from owners that are dead. `now()` is older than the statement's view of the leases: a statement that
 * had to wait cannot take a lease for over that was good when it looked. After a start of PostgreSQL everybody has the
 * length of a lease to come back. Who judges must be alive itself: a statement that was under way while PostgreSQL stood
 * still runs before anybody could renew.
 */
const DEAD_OWNER = `not exists (
  select from nodes n where n.id = r.owner_node
    and greatest(n.lease_until, pg_postmaster_start_time() + $1 * interval '1 millisecond') > now())
  and exists (select from nodes me where me.id = $2 and me.lease_until > now())`;

const INTERRUPT = `with picked as materialized (
    select r.id from streams r where r.owner_node is not null and r.completed_at is null and CONDITION
    limit ${BATCH} for no key update skip locked)
  update streams s set owner_node = null, epoch = s.epoch + 1, interruptions = s.interruptions + 1,
    status = case s.status when 'paused' then 'paused' else 'interrupted' end
  from picked where s.id = picked.id
  returning s.id, s.conversation_id, s.options, s.status, s.last_sequence`;

const INTERRUPT_DEAD: Statement = {
  name: 'interrupt_dead',
  text: INTERRUPT.replace('CONDITION', DEAD_OWNER),
};

const INTERRUPT_OWN: Statement = {
  name: 'interrupt_own',
  text: INTERRUPT.replace('CONDITION', 'r.owner_node = $1 and r.id = any($2::uuid[])'),
};

/** The oldest first; with $3 only that one. Whoever is claiming the same at the same time skips it. */
const CLAIM: Statement = {
  name: 'claim_streams',
  text: `with picked as materialized (
      select r.id from streams r
      where r.owner_node is null and r.completed_at is null and r.status = 'interrupted'
        and ($3::uuid is null or r.id = $3)
      order by r.started_at, r.id limit $2 for no key update skip locked)
    update streams s set owner_node = $1, epoch = s.epoch + 1, recoveries = s.recoveries + 1,
      status = case when s.last_sequence > 0 then 'streaming' else 'starting' end
    from picked where s.id = picked.id
    returning ${OWNED_COLUMNS}`,
};

const OVERDUE: Statement = {
  name: 'overdue_pauses',
  text: `select id, control_version as version, options from streams
    where completed_at is null and status = 'paused' and owner_node is null
      and paused_at < now() - $1 * interval '1 millisecond' limit ${BATCH}`,
};

/** Rows of processes that are dead for long, and own nothing any more. */
const FORGET: Statement = {
  name: 'forget_nodes',
  text: `delete from nodes n where n.lease_until < now() - $1 * interval '10 milliseconds'
    and not exists (select from streams s where s.owner_node = n.id and s.completed_at is null)`,
};

const LEAVE: Statement = { name: 'leave_node', text: 'delete from nodes where id = $1' };

/** Leases of processes, and who owns which running stream; all times are the database's. */
@Injectable()
export class NodesStore {
  private readonly leases: DedicatedConnection;
  private readonly sweeps: DedicatedConnection;
  private readonly me: string;
  private readonly leaseMs: number;

  constructor(
    connections: DedicatedConnections,
    node: NodeIdentity,
    @Inject(CONFIG) { STREAM_LEASE_MS }: Config,
  ) {
    // A renewal waits behind nothing: neither for a connection of the pool nor for a sweep.
    this.leases = connections.open('leases');
    this.sweeps = connections.open('sweeps');
    this.me = node.id;
    this.leaseMs = STREAM_LEASE_MS;
  }

  /** Renews this node's lease; false when it had run out, or is new. */
  async renew(): Promise<boolean> {
    const [row] = await ask<{ held: boolean }>(this.leases, RENEW, [this.me, this.leaseMs]);
    return row?.held ?? false;
  }

  /** All running streams that this node owns. */
  own(): Promise<OwnStream[]> {
    return ask(this.leases, OWN, [this.me]);
  }

  /** Gives the lease up. */
  async leave(): Promise<void> {
    await ask(this.leases, LEAVE, [this.me]);
  }

  /** Takes some streams from owners whose lease has run out, while this node's own is good. */
  interruptDead(): Promise<Interrupted[]> {
    return ask(this.sweeps, INTERRUPT_DEAD, [this.leaseMs, this.me]);
  }

  /** Takes some of these streams from this node itself. */
  interruptOwn(streamIds: readonly string[]): Promise<Interrupted[]> {
    return ask(this.sweeps, INTERRUPT_OWN, [this.me, streamIds]);
  }

  /** Makes this node the owner of at most `count` interrupted streams, or of this one if it is interrupted. */
  claim(count: number, streamId: string | null = null): Promise<OwnedStream[]> {
    return ask(this.sweeps, CLAIM, [this.me, count, streamId]);
  }

  /** Streams without an owner that have been paused for longer than `maxPauseMs`. */
  overduePauses(maxPauseMs: number): Promise<OverduePause[]> {
    return ask(this.sweeps, OVERDUE, [maxPauseMs]);
  }

  /** Removes the rows of processes that are dead for ten leases and own nothing. */
  async forgetDead(): Promise<void> {
    await ask(this.sweeps, FORGET, [this.leaseMs]);
  }
}

/** @throws {DomainError} retryable, when the database is slow or away. */
function ask<T>(
  connection: DedicatedConnection,
  statement: Statement,
  values: readonly unknown[],
): Promise<T[]> {
  return connection.query<T>(statement, values).catch((fault: unknown) => {
    throw toDatabaseError(fault);
  });
}
