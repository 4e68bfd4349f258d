import type { ConnectionInfo } from '../../protocol/index.js';

/** A connection, as every node can read it. Times are in milliseconds since 1970. */
export interface RegisteredConnection extends Omit<ConnectionInfo, 'connectedAt' | 'lastActivityAt'> {
  nodeId: string;
  /** False for guests. */
  authenticated: boolean;
  connectedAt: number;
  lastActivityAt: number;
}

/** Numbers of connections and users. */
export interface RegistryFigures {
  totalConnections: number;
  authenticatedConnections: number;
  uniqueUsers: number;
  /** Conversations that at least one connection has joined. */
  activeConversations: number;
}

/** Page of a list that is ordered by connection id. */
export interface Page {
  /** Connection id after which the page begins; empty for the first page. */
  after: string;
  limit: number;
}

/**
 * Registry of connections and the conversations they joined, shared by all nodes. A connection that is not renewed within
 * its lease is removed: its node is dead. No method waits for other nodes.
 */
export abstract class ConnectionRegistry {
  abstract add(connection: RegisteredConnection): Promise<void>;

  /** Updates a connection; does nothing where it is not registered. */
  abstract update(
    connectionId: string,
    changes: Partial<Pick<RegisteredConnection, 'lastActivityAt' | 'transport'>>,
  ): Promise<void>;

  abstract join(connectionId: string, conversationId: string): Promise<void>;

  abstract leave(connectionId: string, conversationId: string): Promise<void>;

  /** Removes a connection from the registry and from all conversations. */
  abstract remove(connectionId: string): Promise<void>;

  /** Extends the leases of these connections. @returns those that are not registered, to be added again. */
  abstract renew(connectionIds: readonly string[]): Promise<string[]>;

  abstract find(connectionId: string): Promise<RegisteredConnection | null>;

  abstract ofUser(userId: string, page: Page): Promise<RegisteredConnection[]>;

  abstract ofConversation(conversationId: string, page: Page): Promise<RegisteredConnection[]>;

  /** Counts the connections of one node, or of all. */
  abstract figures(nodeId?: string): Promise<RegistryFigures>;
}
