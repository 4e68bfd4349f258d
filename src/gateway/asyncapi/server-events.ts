import {
  type JsonSchema,
  COUNT,
  FLAG,
  enumOf,
  optional,
  ref,
  says,
  objectSchema,
  TEXT,
  TIME,
  UUID,
} from '../../protocol/schemas/schema.js';
import type { QueueItem, ServerEvents, TypingUpdate } from '../../protocol/index.js';

interface ServerEvent {
  summary: string;
  payload: JsonSchema;
}

type QueueItemOf<K extends QueueItem['kind']> = Extract<QueueItem, { kind: K }>;

const QUEUE_ITEM: JsonSchema = {
  oneOf: [
    objectSchema<QueueItemOf<'message'>>({
      queueId: TEXT,
      kind: { const: 'message' },
      message: ref('Message'),
    }),
    objectSchema<QueueItemOf<'system'>>({
      queueId: TEXT,
      kind: { const: 'system' },
      message: ref('SystemMessage'),
    }),
  ],
};

/** The events that the server sends (protocol section 4.3). Each payload schema is checked against its type. */
export const SERVER_EVENTS: { readonly [K in keyof ServerEvents]: ServerEvent } = {
  'connection:status': {
    summary: 'The connection is open; names its user and device',
    payload: objectSchema<ServerEvents['connection:status']>({
      status: { const: 'connected' },
      connectionId: TEXT,
      userId: TEXT,
      deviceId: TEXT,
      serverTime: TIME,
      expiresAt: optional(TIME),
    }),
  },
  'auth:expiring': {
    summary: 'The token expires within a minute: send a new one with auth:refresh',
    payload: objectSchema<ServerEvents['auth:expiring']>({ expiresAt: TIME }),
  },
  'connection:draining': {
    summary: 'The server is shutting down: reconnect when the transport is closed',
    payload: objectSchema<ServerEvents['connection:draining']>({
      reconnectInMs: says(COUNT, 'Time until the server closes the transport, in milliseconds.'),
    }),
  },
  'connection:closing': { summary: 'Why the server is about to close the connection', payload: ref('Error') },
  'conversation:changed': {
    summary: 'A conversation or its membership has changed',
    payload: objectSchema<ServerEvents['conversation:changed']>({
      conversationId: TEXT,
      change: enumOf<ServerEvents['conversation:changed']['change']>({
        ...{ added: true, removed: true, updated: true, deleted: true },
      }),
      userId: optional(TEXT),
    }),
  },
  'message:new': { summary: 'A new message in a joined conversation', payload: ref('Message') },
  'message:receipt': {
    summary: 'How far a member has received and read a conversation',
    payload: objectSchema<ServerEvents['message:receipt']>({
      conversationId: TEXT,
      userId: TEXT,
      deliveredSeq: COUNT,
      readSeq: COUNT,
    }),
  },
  'queue:deliver': {
    summary: 'A batch of queued items; the ack removes them from the queue',
    payload: objectSchema<ServerEvents['queue:deliver']>({
      items: { type: 'array', items: QUEUE_ITEM },
      remaining: COUNT,
      dropped: says(COUNT, 'Items dropped since the last delivery.'),
    }),
  },
  'stream:started': { summary: 'An answer has started', payload: ref('StreamState') },
  'stream:chunk': { summary: 'The next chunk of an answer', payload: ref('Chunk') },
  'stream:status': {
    summary: 'An answer was paused, resumed or ended',
    payload: objectSchema<ServerEvents['stream:status']>({
      streamId: UUID,
      status: ref('StreamStatus'),
      lastSequence: { type: 'integer', minimum: -1 },
      reason: optional(TEXT),
    }),
  },
  'typing:update': {
    summary: 'A user started or stopped typing',
    payload: objectSchema<TypingUpdate>({ conversationId: TEXT, userId: TEXT, isTyping: FLAG }),
  },
  'presence:update': { summary: 'The presence of a user has changed', payload: ref('Presence') },
  'system:message': {
    summary: 'A message from the operator, to a topic or to this user',
    payload: ref('SystemMessage'),
  },
};
