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

/** What the server sends (protocol section 4.3), each held to its type in `src/protocol`. */
export const SERVER_EVENTS: { readonly [K in keyof ServerEvents]: ServerEvent } = {
  'connection:status': {
    summary: 'The connection is open, and whose it is',
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
    summary: 'The token ends in a minute: bring a new one by auth:refresh',
    payload: objectSchema<ServerEvents['auth:expiring']>({ expiresAt: TIME }),
  },
  'connection:draining': {
    summary: 'The server is about to stop',
    payload: objectSchema<ServerEvents['connection:draining']>({
      reconnectInMs: says(COUNT, 'Until the server closes the transport.'),
    }),
  },
  'connection:closing': { summary: 'Why the server is about to close the connection', payload: ref('Error') },
  'conversation:changed': {
    summary: 'A conversation changed, or who may enter it',
    payload: objectSchema<ServerEvents['conversation:changed']>({
      conversationId: TEXT,
      change: enumOf<ServerEvents['conversation:changed']['change']>({
        ...{ added: true, removed: true, updated: true, deleted: true },
      }),
      userId: optional(TEXT),
    }),
  },
  'message:new': { summary: 'A message in a conversation that was joined', payload: ref('Message') },
  'message:receipt': {
    summary: 'How far a member has got',
    payload: objectSchema<ServerEvents['message:receipt']>({
      conversationId: TEXT,
      userId: TEXT,
      deliveredSeq: COUNT,
      readSeq: COUNT,
    }),
  },
  'queue:deliver': {
    summary: 'What waited; calling its acknowledgement takes it from the queue',
    payload: objectSchema<ServerEvents['queue:deliver']>({
      items: { type: 'array', items: QUEUE_ITEM },
      remaining: COUNT,
      dropped: says(COUNT, 'Since the last delivery.'),
    }),
  },
  'stream:started': { summary: 'An answer has begun', payload: ref('StreamState') },
  'stream:chunk': { summary: 'The next piece of an answer', payload: ref('Chunk') },
  'stream:status': {
    summary: 'An answer was paused, went on, or ended',
    payload: objectSchema<ServerEvents['stream:status']>({
      streamId: UUID,
      status: ref('StreamStatus'),
      lastSequence: { type: 'integer', minimum: -1 },
      reason: optional(TEXT),
    }),
  },
  'typing:update': {
    summary: 'Somebody began or ceased to write',
    payload: objectSchema<TypingUpdate>({ conversationId: TEXT, userId: TEXT, isTyping: FLAG }),
  },
  'presence:update': { summary: 'Somebody came, left, or is busy', payload: ref('Presence') },
  'system:message': {
    summary: 'A message of the operator, to a topic or to this user',
    payload: ref('SystemMessage'),
  },
};
