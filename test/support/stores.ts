import type { DataSource } from 'typeorm';
import { newId, NodeIdentity } from '../../src/common/ids.js';
import { readConfig, type Config } from '../../src/platform/config/config.js';
import { entities } from '../../src/app/entities.js';
import { AppendStore, type AppendItem } from '../../src/conversations/append.store.js';
import { DeliveryEntity, EndedDeliveryEntity } from '../../src/queue/delivery.entity.js';
import { ConversationsStore } from '../../src/conversations/conversations.store.js';
import { MessagesStore } from '../../src/conversations/messages.store.js';
import { StreamSlots } from '../../src/conversations/stream-slots.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { AckStore } from '../../src/queue/ack.store.js';
import { DeliveriesStore } from '../../src/queue/deliveries.store.js';
import { QueueAdminStore } from '../../src/queue/queue-admin.store.js';
import { ChunkLogStore } from '../../src/streaming/log/chunk-log.store.js';
import { PromptsStore } from '../../src/streaming/production/prompts.store.js';
import { SnapshotsStore } from '../../src/streaming/log/snapshots.store.js';
import { testMetrics } from './metrics.js';

/** The stores of one node. */
export interface Stores {
  config: Config;
  append: AppendStore;
  acks: AckStore;
  chunks: ChunkLogStore;
  deliveries: DeliveriesStore;
  admin: QueueAdminStore;
  conversations: ConversationsStore;
  messages: MessagesStore;
  snapshots: SnapshotsStore;
  prompts: PromptsStore;
}

/** Stores whose connections are the test's to close. */
export interface OpenStores extends Stores {
  database: DataSource;
  close(): Promise<void>;
}

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

/** Opens the stores as one node has them, with connections of its own. */
export async function openStores(url: string, env: Record<string, string> = {}): Promise<OpenStores> {
  const database = await createDataSource({ url, poolSize: 6, entities, migrations: [] }).initialize();
  const connections = new DedicatedConnections({ url, log: QUIET });
  return {
    ...storesOn(database, connections, env),
    database,
    close: async () => {
      await connections.close();
      await database.destroy();
    },
  };
}

/** The stores on connections that are there. */
export function storesOn(
  database: DataSource,
  connections: DedicatedConnections,
  env: Record<string, string> = {},
): Stores {
  const config = readConfig(env);
  const { commits, messages } = testMetrics();
  const node = new NodeIdentity();
  return {
    config,
    append: new AppendStore(connections, node, new StreamSlots(config), config, messages),
    acks: new AckStore(connections, commits),
    chunks: new ChunkLogStore(connections, database, config, commits),
    deliveries: new DeliveriesStore(
      database.getRepository(DeliveryEntity),
      database.getRepository(EndedDeliveryEntity),
      config,
    ),
    admin: new QueueAdminStore(database, config),
    conversations: new ConversationsStore(database, config),
    messages: new MessagesStore(database),
    snapshots: new SnapshotsStore(database),
    prompts: new PromptsStore(database, node),
  };
}

/** A message to append. */
export function item(conversationId: string, senderId: string, clientMessageId: string): AppendItem {
  return { conversationId, senderId, clientMessageId, id: newId(), content: clientMessageId, metadata: {} };
}
