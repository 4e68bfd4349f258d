import type { ControlResult, MessagePage, RecoverResult, SendResult } from '../index.js';
import { type JsonSchema, COUNT, FLAG, arrayOf, optional, ref, objectSchema, UUID } from './schema.js';

/** Schemas of results that both an event and a route return. Each is checked against its type in `src/protocol`. */
export const RESPONSES = {
  SendResult: objectSchema<SendResult>({
    message: ref('Message'),
    duplicate: FLAG,
    streamId: optional(UUID),
  }),
  MessagePage: objectSchema<MessagePage>({ messages: arrayOf(ref('Message')), hasMore: FLAG }),
  ControlResult: objectSchema<ControlResult>({
    status: ref('StreamStatus'),
    lastSequence: { type: 'integer', minimum: -1 },
  }),
  RecoverResult: objectSchema<RecoverResult>({
    stream: ref('StreamState'),
    chunks: arrayOf(ref('Chunk')),
    nextSequence: COUNT,
    done: FLAG,
  }),
} as const satisfies Record<string, JsonSchema>;
