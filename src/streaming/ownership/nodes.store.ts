import { Inject, Injectable } from '@nestjs/common';
import { NodeIdentity } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { DedicatedConnection, Statement } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { OWNED_COLUMNS, type OwnedStream, type OwnStream, type StreamRow } from '../log/stream.rows.js';
import { queryOn } from '../log/streams.store.js';

/** A stream that was taken from its owner: `interrupted`, or still `paused`. */
export type Interrupted = Pick<StreamRow, 'id' | 'conversationId' | 'options' | 'status' | 'lastSequence'>;

/** A stream that has been paused for too long. */
export interface OverduePause extends Pick<StreamRow, 'id' | 'options'> {
  version: number;
}

const BATCH = 200;

/** Renews or creates this node's row; returns whether the lease was still held. */
const RENEW: Statement = {
  name: 'renew_lease',
  text: `with before as (select lease_until > now() as held from nodes where id = $1)
    insert into nodes (id, lease_until) values ($1, clock_timestamp() + $2 * interval '1 millisecond')
    on conflict (id) do update set lease_until = excluded.lease_until
    returning coalesce((select held from before), false) as held`,
};

/** Counts other nodes whose leases are good and end after $2: a node that has died cannot renew its lease. */
const OTHERS: Statement = {
  name: 'other_nodes',
  text: `select (select lease_until::text from nodes where id = $1) as "leaseUntil",
    (select count(*)::int from nodes where id <> $1 and lease_until > greatest(now(), $2::timestamptz)) as others`,
};

/** This node's lease among those of others. */
export interface Neighbours {
  /** When this node's lease ends: a time of the database, as text. */
  leaseUntil: string;
  /** Other nodes whose leases are good. */
  others: number;
}

const OWN: Statement = {
  name: 'own_streams',
  text: `select id, epoch, status = 'paused' as paused, control_version as version from streams
    where owner_node = $1 and completed_at is null`,
};

/**
 * Selects the streams of dead owners. `now()` is older than the statement's snapshot of the leases: a statement that had to
 * wait cannot see a lease as over that was good in the snapshot. After a start of PostgreSQL every node has the length of a
 * lease to renew. The node that runs this must hold a lease itself: a statement that was running while PostgreSQL was frozen
 * continues before any node could renew.
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
  returning s.id, s.conversation_id as "conversationId", s.options, s.status, s.last_sequence as "lastSequence"`;

const INTERRUPT_DEAD: Statement = {
  name: 'interrupt_dead',
  text: INTERRUPT.replace('CONDITION', DEAD_OWNER),
};

const INTERRUPT_OWN: Statement = {
  name: 'interrupt_own',
  text: INTERRUPT.replace('CONDITION', 'r.owner_node = $1 and r.id = any($2::uuid[])'),
};

/** Claims the oldest first; with $3 only that one. A concurrent claim skips the rows that this one has locked. */
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

/** Rows of processes that died long ago and own nothing. */
const FORGET: Statement = {
  name: 'forget_nodes',
  text: `delete from nodes n where n.lease_until < now() - $1 * interval '10 milliseconds'
    and not exists (select from streams s where s.owner_node = n.id and s.completed_at is null)`,
};

const LEAVE: Statement = { name: 'leave_node', text: 'delete from nodes where id = $1' };

/** Leases of processes, and the owners of running streams; all times are by the database's clock. */
@Injectable()
export class NodesStore {
  private readonly leases: DedicatedConnection;
  private readonly sweeps: DedicatedConnection;
  private readonly nodeId: string;
  private readonly leaseMs: number;

  constructor(
    connections: DedicatedConnections,
    node: NodeIdentity,
    @Inject(CONFIG) { STREAM_LEASE_MS }: Config,
  ) {
    // A renewal must not wait: neither for a connection of the pool nor for a sweep.
    this.leases = connections.open('leases');
    this.sweeps = connections.open('sweeps');
    this.nodeId = node.id;
    this.leaseMs = STREAM_LEASE_MS;
  }

  /** Renews this node's lease; false when it had expired, or is new. */
  async renew(): Promise<boolean> {
    const [row] = await queryOn<{ held: boolean }>(this.leases, RENEW, [this.nodeId, this.leaseMs]);
    return row?.held ?? false;
  }

  /** Counts other nodes whose leases end after `since`, a time of the database; null: all with good leases. */
  async neighbours(since: string | null): Promise<Neighbours> {
    const [row] = await queryOn<Neighbours>(this.leases, OTHERS, [this.nodeId, since]);
    return row as Neighbours;
  }

  /** Reads all running streams that this node owns. */
  own(): Promise<OwnStream[]> {
    return queryOn(this.leases, OWN, [this.nodeId]);
  }

  /** Deletes the lease. */
  async leave(): Promise<void> {
    await queryOn(this.leases, LEAVE, [this.nodeId]);
  }

  /** Takes some streams from owners whose lease has expired, while this node's own lease is good. */
  interruptDead(): Promise<Interrupted[]> {
    return queryOn(this.sweeps, INTERRUPT_DEAD, [this.leaseMs, this.nodeId]);
  }

  /** Takes these streams, or some of them, from this node itself. */
  interruptOwn(streamIds: readonly string[]): Promise<Interrupted[]> {
    return queryOn(this.sweeps, INTERRUPT_OWN, [this.nodeId, streamIds]);
  }

  /** Makes this node the owner of at most `count` interrupted streams, or of this one if it is interrupted. */
  claim(count: number, streamId: string | null = null): Promise<OwnedStream[]> {
    return queryOn(this.sweeps, CLAIM, [this.nodeId, count, streamId]);
  }

  /** Reads streams without an owner that have been paused for longer than `maxPauseMs`. */
  overduePauses(maxPauseMs: number): Promise<OverduePause[]> {
    return queryOn(this.sweeps, OVERDUE, [maxPauseMs]);
  }

  /** Deletes the rows of processes that have been dead for ten leases and own nothing. */
  async forgetDead(): Promise<void> {
    await queryOn(this.sweeps, FORGET, [this.leaseMs]);
  }
}
