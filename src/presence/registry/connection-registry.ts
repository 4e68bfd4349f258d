import type { ConnectionInfo } from '../../protocol/index.js';

/** A connection as all nodes may know of it. Times are in milliseconds since 1970. */
export interface RegisteredConnection extends Omit<ConnectionInfo, 'connectedAt' | 'lastActivityAt'> {
  nodeId: string;
  /** Whether its user signed in, which guests did not. */
  authenticated: boolean;
  connectedAt: number;
  lastActivityAt: number;
}

/** How many are connected. */
export interface RegistryFigures {
  totalConnections: number;
  authenticatedConnections: number;
  uniqueUsers: number;
  /** Conversations that some connection has joined. */
  activeConversations: number;
}

/** Part of a list in the order of connection ids. */
export interface Page {
  /** Connection id behind which it begins; empty for the first page. */
  after: string;
  limit: number;
}

/**
 * Who is connected, and to which conversations: shared by all nodes. What is not renewed for a lease is gone, as its
 * node is. No method waits for other nodes.
 */
export abstract class ConnectionRegistry {
  abstract add(connection: RegisteredConnection): Promise<void>;

  /** Notes what has changed; nothing for a connection that is not there. */
  abstract update(
    connectionId: string,
    changes: Partial<Pick<RegisteredConnection, 'lastActivityAt' | 'transport'>>,
  ): Promise<void>;

  abstract join(connectionId: string, conversationId: string): Promise<void>;

  abstract leave(connectionId: string, conversationId: string): Promise<void>;

  /** Takes it out, and out of all conversations. */
  abstract remove(connectionId: string): Promise<void>;

  /** These are still there. @returns those that had run out: they have to be added again. */
  abstract renew(connectionIds: readonly string[]): Promise<string[]>;

  abstract find(connectionId: string): Promise<RegisteredConnection | null>;

  abstract ofUser(userId: string, page: Page): Promise<RegisteredConnection[]>;

  abstract ofConversation(conversationId: string, page: Page): Promise<RegisteredConnection[]>;

  /** Of one node, or of all. */
  abstract figures(nodeId?: string): Promise<RegistryFigures>;
}
