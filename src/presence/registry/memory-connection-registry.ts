import type { Clock } from '../../common/clock.js';
import { DeadlineQueue } from '../../common/deadline-queue.js';
import {
  ConnectionRegistry,
  type Page,
  type RegisteredConnection,
  type RegistryFigures,
} from './connection-registry.js';

const SLOT_MS = 1000;

/** Connection registry in memory, for a single node. Each call takes effect at once, before it returns its promise. */
export class MemoryConnectionRegistry extends ConnectionRegistry {
  private readonly connections = new Map<string, RegisteredConnection>();
  /** Arrays, because a user has few connections: a set takes three times the memory. */
  private readonly byUser = new Map<string, readonly string[]>();
  private readonly byConversation = new Map<string, Set<string>>();
  private readonly conversationsOf = new Map<string, Set<string>>();
  private readonly leases: DeadlineQueue<string>;

  constructor(
    private readonly leaseMs: number,
    private readonly clock: Clock,
  ) {
    super();
    this.leases = new DeadlineQueue(Math.min(SLOT_MS, leaseMs / 4));
  }

  /** Numbers of entries; all 0 when nobody is connected. */
  get size(): { connections: number; users: number; conversations: number; leases: number } {
    const { connections, byUser, byConversation, leases } = this;
    return {
      connections: connections.size,
      users: byUser.size,
      conversations: byConversation.size,
      leases: leases.size,
    };
  }

  override add(connection: RegisteredConnection): Promise<void> {
    const { connectionId, userId } = connection;
    this.connections.set(connectionId, { ...connection });
    const others = (this.byUser.get(userId) ?? []).filter((id) => id !== connectionId);
    this.byUser.set(userId, others.concat(connectionId));
    this.leases.set(connectionId, this.clock.steady() + this.leaseMs);
    return Promise.resolve();
  }

  override update(connectionId: string, changes: Partial<RegisteredConnection>): Promise<void> {
    const connection = this.connections.get(connectionId);
    if (connection) Object.assign(connection, changes);
    return Promise.resolve();
  }

  override join(connectionId: string, conversationId: string): Promise<void> {
    if (this.connections.has(connectionId)) {
      addTo(this.conversationsOf, connectionId, conversationId);
      addTo(this.byConversation, conversationId, connectionId);
    }
    return Promise.resolve();
  }

  override leave(connectionId: string, conversationId: string): Promise<void> {
    deleteFrom(this.conversationsOf, connectionId, conversationId);
    deleteFrom(this.byConversation, conversationId, connectionId);
    return Promise.resolve();
  }

  override remove(connectionId: string): Promise<void> {
    const connection = this.connections.get(connectionId);
    if (!connection) return Promise.resolve();
    this.connections.delete(connectionId);
    this.leases.delete(connectionId);
    const others = (this.byUser.get(connection.userId) ?? []).filter((id) => id !== connectionId);
    if (others.length > 0) this.byUser.set(connection.userId, others);
    else this.byUser.delete(connection.userId);
    for (const conversationId of this.conversationsOf.get(connectionId) ?? [])
      deleteFrom(this.byConversation, conversationId, connectionId);
    this.conversationsOf.delete(connectionId);
    return Promise.resolve();
  }

  override renew(connectionIds: readonly string[]): Promise<string[]> {
    this.dropExpired();
    const missing = connectionIds.filter((connectionId) => !this.connections.has(connectionId));
    const until = this.clock.steady() + this.leaseMs;
    for (const connectionId of connectionIds) {
      if (this.connections.has(connectionId)) this.leases.set(connectionId, until);
    }
    return Promise.resolve(missing);
  }

  override find(connectionId: string): Promise<RegisteredConnection | null> {
    this.dropExpired();
    return Promise.resolve(this.connections.get(connectionId) ?? null);
  }

  override ofUser(userId: string, page: Page): Promise<RegisteredConnection[]> {
    this.dropExpired();
    return Promise.resolve(this.page(this.byUser.get(userId), page));
  }

  override ofConversation(conversationId: string, page: Page): Promise<RegisteredConnection[]> {
    this.dropExpired();
    return Promise.resolve(this.page(this.byConversation.get(conversationId), page));
  }

  override figures(nodeId?: string): Promise<RegistryFigures> {
    this.dropExpired();
    const all = [...this.connections.values()];
    const counted = nodeId === undefined ? all : all.filter((connection) => connection.nodeId === nodeId);
    return Promise.resolve({
      totalConnections: counted.length,
      authenticatedConnections: counted.filter(({ authenticated }) => authenticated).length,
      uniqueUsers: new Set(counted.map(({ userId }) => userId)).size,
      activeConversations: new Set(
        counted.flatMap(({ connectionId }) => [...(this.conversationsOf.get(connectionId) ?? [])]),
      ).size,
    });
  }

  private page(ids: Iterable<string> = [], { after, limit }: Page): RegisteredConnection[] {
    const sorted = [...ids].filter((id) => id > after).toSorted();
    return sorted.slice(0, limit).map((id) => this.connections.get(id) as RegisteredConnection);
  }

  private dropExpired(): void {
    for (const connectionId of this.leases.takeDue(this.clock.steady())) void this.remove(connectionId);
  }
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set) set.add(value);
  else sets.set(key, new Set([value]));
}

function deleteFrom(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
