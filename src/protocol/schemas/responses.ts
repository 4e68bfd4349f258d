import type { ControlAnswer, MessagePage, RecoverAnswer, SendAnswer } from '../index.js';
import { type JsonSchema, COUNT, FLAG, listOf, optional, ref, shape, UUID } from './schema.js';

/** The answers that an event and a route have in common, each held to its type in `src/protocol`. */
export const ANSWERS = {
  SendAnswer: shape<SendAnswer>({ message: ref('Message'), duplicate: FLAG, streamId: optional(UUID) }),
  MessagePage: shape<MessagePage>({ messages: listOf(ref('Message')), hasMore: FLAG }),
  ControlAnswer: shape<ControlAnswer>({
    status: ref('StreamStatus'),
    lastSequence: { type: 'integer', minimum: -1 },
  }),
  RecoverAnswer: shape<RecoverAnswer>({
    stream: ref('StreamState'),
    chunks: listOf(ref('Chunk')),
    nextSequence: COUNT,
    done: FLAG,
  }),
} as const satisfies Record<string, JsonSchema>;
