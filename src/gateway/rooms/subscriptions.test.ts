import { beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeSockets } from '../../../test/support/fake-sockets.js';
import type { Config } from '../../platform/config/config.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { MemoryRelay } from '../../platform/relay/memory-relay.js';
import type { QueueService } from '../../queue/queue.service.js';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';
import { QueueDeliveryService } from './queue-delivery.service.js';
import type { Rooms } from './rooms.js';
import { TopicRooms } from './topic-rooms.js';
import { UserEventSubscriptions } from './user-event-subscriptions.js';

const NEWS = { topic: 'news', content: 'Hello.', createdAt: '' };

let sockets: FakeSockets;
let relay: MemoryRelay;
let ann: Connection;

beforeEach(() => {
  sockets = new FakeSockets();
  relay = new MemoryRelay();
  ann = sockets.connect('ann');
});

describe('Topics', () => {
  test('A closed socket does not subscribe (P7)', () => {
    const topics = new TopicRooms(relay);
    sockets.close(ann);
    expect(topics.subscribe(ann, ['news'])).toEqual([]);
    expect(topics.size).toEqual({ topics: 0, connections: 0 });
  });

  test('A connection receives the messages of its topics until it unsubscribes or is removed', () => {
    const topics = new TopicRooms(relay);
    topics.subscribe(ann, ['news', 'weather']);
    relay.publish('topic', 'news', NEWS);
    expect(topics.unsubscribe(ann, ['news'])).toEqual(['weather']);
    relay.publish('topic', 'news', NEWS);
    topics.onDisconnect(ann);
    relay.publish('topic', 'weather', NEWS);
    expect(sockets.sentTo(ann, 'system:message')).toEqual([NEWS]);
    expect(topics.size).toEqual({ topics: 0, connections: 0 });
  });
});

describe('Queue deliveries', () => {
  const first = vi.fn<QueueService['first']>();
  let deliveries: QueueDeliveryService;

  beforeEach(() => {
    first.mockReset().mockReturnValue(new Promise(() => {}));
    const queue: unknown = { first };
    const config: unknown = { QUEUE_ACK_TIMEOUT_MS: 1000 };
    deliveries = new QueueDeliveryService(queue as QueueService, new MetricsRegistry(), config as Config);
  });

  test('wake for a message that arrives live starts none, and a system message always starts one (P8)', () => {
    ann.joined.set('c', 4);
    deliveries.wake(ann, 'c');
    expect(first).not.toHaveBeenCalled();
    deliveries.wake(ann, null);
    expect(first).toHaveBeenCalledTimes(1);
  });

  test('of a closed socket are not started: nothing would stop them (P7)', () => {
    sockets.close(ann);
    deliveries.wake(ann, null);
    expect(first).not.toHaveBeenCalled();
  });
});

describe('Events of a user', () => {
  const evict = vi.fn<Rooms['evict']>();
  let connections: Connections;
  let subscriptions: UserEventSubscriptions;

  beforeEach(() => {
    evict.mockReset();
    connections = new Connections();
    connections.onConnect(ann);
    const deliveries = {} as Partial<QueueDeliveryService> as QueueDeliveryService;
    const rooms: Partial<Rooms> = { evict };
    subscriptions = new UserEventSubscriptions(relay, connections, rooms as Rooms, deliveries);
    subscriptions.onConnect(ann);
  });

  function publish(change: 'added' | 'removed' | 'deleted'): void {
    relay.publish('user', 'ann', { type: 'changed', change: { conversationId: 'c', change } });
  }

  function changes(): unknown[] {
    return sockets
      .sentTo(ann, 'conversation:changed')
      .map((payload) => (payload as { change: string }).change);
  }

  test('reach connections that have not joined; a removal reaches all (P10)', () => {
    publish('added');
    ann.joined.set('c', 4);
    publish('added');
    publish('removed');
    expect(changes()).toEqual(['added', 'removed']);
  });

  test('take the connections out of a deleted conversation', () => {
    publish('deleted');
    expect(evict).toHaveBeenCalledExactlyOnceWith('ann', 'c');
  });

  test('stop with the last connection', () => {
    connections.onDisconnect(ann);
    subscriptions.onDisconnect(ann);
    publish('added');
    expect(changes()).toEqual([]);
  });
});
