import { Injectable } from '@nestjs/common';
import { NodeIdentity } from '../../common/ids.js';
import { COUNT, NUMBER, objectSchema, TEXT } from '../../protocol/schemas/schema.js';
import { PresenceService } from '../../presence/presence.service.js';
import { ConnectionRegistry, type RegistryFigures } from '../../presence/registry/connection-registry.js';
import { TypingService } from '../../typing/typing.service.js';
import { QueueSampleStore } from '../../queue/queue-sample.store.js';

/** What waits in the queue. */
interface QueueFigures {
  queued: number;
  /** Users with waiting deliveries. */
  users: number;
  /** Deliveries per such user; 0 when nothing waits. */
  average: number;
}

/** Response of `GET /api/ws/stats`: figures of all nodes, and of the node that responds. */
export interface Stats extends RegistryFigures {
  typingUsers: number;
  /** Users who are not offline, as others see them. */
  onlineUsers: number;
  queue: QueueFigures;
  node: RegistryFigures & { id: string };
}

const FIGURES = {
  ...{ totalConnections: COUNT, authenticatedConnections: COUNT },
  ...{ uniqueUsers: COUNT, activeConversations: COUNT },
};

/** The schema of {@link Stats}. */
export const STATS = objectSchema<Stats>({
  ...FIGURES,
  typingUsers: COUNT,
  onlineUsers: COUNT,
  queue: objectSchema<QueueFigures>({ queued: COUNT, users: COUNT, average: NUMBER }),
  node: objectSchema<Stats['node']>({ ...FIGURES, id: TEXT }),
});

/** Counts connections, users, typing users and waiting deliveries. */
@Injectable()
export class StatsService {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly presence: PresenceService,
    private readonly typing: TypingService,
    private readonly queue: QueueSampleStore,
    private readonly node: NodeIdentity,
  ) {}

  async read(): Promise<Stats> {
    const [all, here, typingUsers, onlineUsers, queue] = await Promise.all([
      this.registry.figures(),
      this.registry.figures(this.node.id),
      this.typing.countUsers(),
      this.presence.countOnline(),
      this.readQueue(),
    ]);
    return { ...all, typingUsers, onlineUsers, queue, node: { id: this.node.id, ...here } };
  }

  private async readQueue(): Promise<QueueFigures> {
    const { deliveries, users } = await this.queue.read();
    const { queued } = deliveries;
    return { queued, users, average: users === 0 ? 0 : queued / users };
  }
}
