import type { JsonSchema } from '../payload-schema.js';
import {
  ERROR_RULES,
  type ActiveStream,
  type CancelReason,
  type Chunk,
  type ChunkType,
  type Conversation,
  type ConversationAccess,
  type Member,
  type MemberRole,
  type Message,
  type Presence,
  type PresenceStatus,
  type ReplyTo,
  type Role,
  type StreamState,
  type StreamStatus,
  type StreamTransport,
  type SystemMessage,
  type TerminalMetadata,
  type Usage,
  type WireError,
} from '../../protocol/index.js';
import { COUNT, FLAG, FREE, nullable, oneOf, optional, ref, says, shape, TEXT, TIME, UUID } from './shape.js';

const RETRYABLE = Object.entries(ERROR_RULES)
  .filter(([, { retryable }]) => retryable)
  .map(([code]) => code);

const SENT_STATE = {
  streamId: UUID,
  conversationId: TEXT,
  messageId: says(UUID, 'Id that the answer’s message will have.'),
  replyTo: ref('ReplyTo'),
  userId: says(TEXT, 'Who asked.'),
  status: ref('StreamStatus'),
  provider: TEXT,
  model: TEXT,
  transport: oneOf<StreamTransport>({ websocket: true, sse: true, http: true }),
  startedAt: TIME,
  firstChunkAt: nullable(TIME),
  lastChunkAt: nullable(TIME),
  completedAt: nullable(TIME),
  lastSequence: says({ type: 'integer', minimum: -1 }, '-1 while there is no chunk.'),
  chunks: COUNT,
  bytes: COUNT,
  usage: nullable(ref('Usage')),
  interruptions: COUNT,
  recoveries: COUNT,
  ownerNode: nullable(TEXT),
  epoch: COUNT,
  error: nullable(ref('Error')),
};
const ENDS = ['complete', 'cancelled', 'error'];

/** The objects that events and routes carry (protocol section 5.2), each held to its type in `src/protocol`. */
export const OBJECTS = {
  Error: shape<WireError>({
    code: says({ type: 'string', enum: Object.keys(ERROR_RULES) }, `Try again: ${RETRYABLE.join(', ')}.`),
    message: TEXT,
    retryable: FLAG,
    retryAfterMs: optional(says(COUNT, 'Milliseconds to wait before the next try.')),
    details: optional(FREE),
    correlationId: says(TEXT, 'Finds the error in the server’s log.'),
  }),
  ReplyTo: shape<ReplyTo>({ messageId: UUID, seq: COUNT, clientMessageId: optional(TEXT) }),
  Message: shape<Message>({
    id: UUID,
    conversationId: TEXT,
    seq: says({ type: 'integer', minimum: 1 }, 'Position in the conversation: 1, 2, 3 … without holes.'),
    senderId: TEXT,
    role: oneOf<Role>({ user: true, assistant: true, system: true }),
    clientMessageId: optional(TEXT),
    content: TEXT,
    metadata: FREE,
    streamId: optional(UUID),
    replyTo: optional(ref('ReplyTo')),
    createdAt: TIME,
  }),
  SystemMessage: shape<SystemMessage>({
    topic: says(nullable(TEXT), 'null where it is to one user.'),
    content: TEXT,
    metadata: optional(FREE),
    createdAt: TIME,
  }),
  Conversation: shape<Conversation>({
    id: TEXT,
    title: optional(TEXT),
    access: oneOf<ConversationAccess>({ members: true, link: true }),
    createdAt: TIME,
    lastSeq: COUNT,
  }),
  Member: shape<Member>({
    userId: TEXT,
    name: optional(TEXT),
    role: oneOf<MemberRole>({ owner: true, member: true }),
    joinedAt: TIME,
    deliveredSeq: COUNT,
    deliveredAt: optional(TIME),
    readSeq: COUNT,
    readAt: optional(TIME),
  }),
  Presence: shape<Presence>({
    userId: TEXT,
    status: oneOf<PresenceStatus>({ online: true, away: true, busy: true, offline: true }),
    lastSeenAt: nullable(TIME),
    metadata: optional(FREE),
    version: says(COUNT, 'Of two states of one user the greater is the newer.'),
  }),
  StreamStatus: oneOf<StreamStatus>({
    ...{ starting: true, streaming: true, paused: true, interrupted: true },
    ...{ completed: true, cancelled: true, failed: true },
  }),
  StreamState: shape<StreamState>(SENT_STATE),
  ActiveStream: shape<ActiveStream>({
    ...SENT_STATE,
    snapshot: says(
      shape<ActiveStream['snapshot']>({ text: TEXT, sequence: { type: 'integer', minimum: -1 } }),
      'All content up to and including that sequence.',
    ),
  }),
  Usage: shape<Usage>({
    inputTokens: COUNT,
    outputTokens: COUNT,
    totalTokens: COUNT,
    source: oneOf<Usage['source']>({ provider: true, estimated: true }),
  }),
  StreamEnd: shape<TerminalMetadata>({
    messageId: optional(UUID),
    seq: optional(COUNT),
    usage: ref('Usage'),
    contentChunks: COUNT,
    contentBytes: COUNT,
    sha256: says({ type: 'string', pattern: '^[0-9a-f]{64}$' }, 'Of the UTF-8 of all content joined.'),
    error: optional(ref('Error')),
    reason: optional(oneOf<CancelReason>({ user: true, pause_timeout: true, timeout: true })),
  }),
  Chunk: {
    ...shape<Chunk>({
      streamId: UUID,
      sequence: COUNT,
      type: oneOf<ChunkType>({
        ...{ metadata: true, content: true, reasoning: true, progress: true },
        ...{ complete: true, cancelled: true, error: true },
      }),
      content: says(TEXT, 'Empty where there is none.'),
      metadata: optional(FREE),
      timestamp: TIME,
    }),
    if: { properties: { type: { enum: ENDS } } },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { properties: { metadata: ref('StreamEnd') }, required: ['metadata'] },
  },
} as const satisfies Record<string, JsonSchema>;
