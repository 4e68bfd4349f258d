import { RefreshDto } from '../../auth/auth.dto.js';
import { RESPONSES } from '../../protocol/schemas/responses.js';
import {
  COUNT,
  FLAG,
  arrayOf,
  optional,
  ref,
  objectSchema,
  TEXT,
  TIME,
  type ObjectSchema,
} from '../../protocol/schemas/schema.js';
import { AckDto, ConversationDto, HistoryDto, JoinDto } from '../../conversations/conversations.dto.js';
import { PresenceDto, WatchDto } from '../../presence/presence.dto.js';
import type { ClientEvents, JoinResult, RefreshResult } from '../../protocol/index.js';
import { RecoverDto, SendDto, StreamDto } from '../../streaming/streaming.dto.js';
import { TopicsDto } from '../../conversations/topics/topics.dto.js';

interface ClientEvent<Payload> {
  summary: string;
  /** Class that validates the payload; null where any payload is accepted. */
  dto: unknown extends Payload ? null : new () => Payload;
  /** Fields of a successful ack, besides `ok`. */
  ack: ObjectSchema;
}

const NOTHING = objectSchema<object>({});
const PRESENCE = objectSchema<ClientEvents['presence:watch'][1]>({ presence: arrayOf(ref('Presence')) });
const TOPICS = objectSchema<ClientEvents['topic:subscribe'][1]>({ topics: arrayOf(TEXT) });

/** The events that clients send (protocol section 4.2). */
export const CLIENT_EVENTS: { readonly [K in keyof ClientEvents]: ClientEvent<ClientEvents[K][0]> } = {
  'auth:refresh': {
    summary: 'Replace the token of this connection; it must belong to the same user',
    dto: RefreshDto,
    ack: objectSchema<RefreshResult>({ userId: TEXT, expiresAt: optional(TIME) }),
  },
  'conversation:join': {
    summary: 'Join a conversation: receive its events from now on, and its messages after afterSeq',
    dto: JoinDto,
    ack: objectSchema<JoinResult>({
      conversation: ref('Conversation'),
      members: arrayOf(ref('Member')),
      lastSeq: COUNT,
      messages: arrayOf(ref('Message')),
      hasMore: FLAG,
      presence: arrayOf(ref('Presence')),
      typing: arrayOf(TEXT),
      activeStreams: arrayOf(ref('ActiveStream')),
    }),
  },
  'conversation:leave': {
    summary: 'Leave a conversation: stop receiving its events',
    dto: ConversationDto,
    ack: NOTHING,
  },
  'message:send': {
    summary: 'Send a message and, by default, request an answer; retry with the same clientMessageId',
    dto: SendDto,
    ack: RESPONSES.SendResult,
  },
  'message:ack': { summary: 'Acknowledge all messages up to seq', dto: AckDto, ack: NOTHING },
  'message:history': {
    summary: 'Read messages after or before a position',
    dto: HistoryDto,
    ack: RESPONSES.MessagePage,
  },
  'typing:start': { summary: 'Start typing, or continue', dto: ConversationDto, ack: NOTHING },
  'typing:stop': { summary: 'Stop typing', dto: ConversationDto, ack: NOTHING },
  'presence:update': { summary: 'Set the presence that others see', dto: PresenceDto, ack: NOTHING },
  'presence:watch': { summary: 'Subscribe to the presence of these users', dto: WatchDto, ack: PRESENCE },
  'presence:unwatch': {
    summary: 'Unsubscribe from the presence of these users',
    dto: WatchDto,
    ack: PRESENCE,
  },
  'topic:subscribe': { summary: 'Subscribe to system messages of these topics', dto: TopicsDto, ack: TOPICS },
  'topic:unsubscribe': { summary: 'Unsubscribe from these topics', dto: TopicsDto, ack: TOPICS },
  'stream:pause': {
    summary: 'Pause an answer, for all viewers',
    dto: StreamDto,
    ack: RESPONSES.ControlResult,
  },
  'stream:resume': { summary: 'Resume a paused answer', dto: StreamDto, ack: RESPONSES.ControlResult },
  'stream:cancel': { summary: 'Cancel an answer', dto: StreamDto, ack: RESPONSES.ControlResult },
  'stream:recover': {
    summary: 'Read the chunks of an answer from a position',
    dto: RecoverDto,
    ack: RESPONSES.RecoverResult,
  },
  ping: {
    summary: 'Check the connection: the payload is echoed',
    dto: null,
    ack: objectSchema<ClientEvents['ping'][1]>({ serverTime: TIME, echo: {} }),
  },
};
