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
import { RecoverDto } from '../../streaming/stream.dto.js';
import { SendDto, StreamDto } from '../../streaming/streaming.dto.js';
import { TopicsDto } from '../../conversations/topics/topics.dto.js';

interface ClientEvent<Payload> {
  summary: string;
  /** What the payload is checked by; null where it may be anything. */
  dto: unknown extends Payload ? null : new () => Payload;
  /** The acknowledgement beside `ok`, where it is not refused. */
  answer: ObjectSchema;
}

const NOTHING = objectSchema<object>({});
const PRESENCE = objectSchema<ClientEvents['presence:watch'][1]>({ presence: arrayOf(ref('Presence')) });
const TOPICS = objectSchema<ClientEvents['topic:subscribe'][1]>({ topics: arrayOf(TEXT) });

/** What clients send (protocol section 4.2): each with the class that its payload is checked by. */
export const CLIENT_EVENTS: { readonly [K in keyof ClientEvents]: ClientEvent<ClientEvents[K][0]> } = {
  'auth:refresh': {
    summary: 'Go on with a new token of the same user',
    dto: RefreshDto,
    answer: objectSchema<RefreshResult>({ userId: TEXT, expiresAt: optional(TIME) }),
  },
  'conversation:join': {
    summary: 'Hear a conversation from here on, and get what is behind afterSeq',
    dto: JoinDto,
    answer: objectSchema<JoinResult>({
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
  'conversation:leave': { summary: 'Hear a conversation no more', dto: ConversationDto, answer: NOTHING },
  'message:send': {
    summary: 'Say something, and by default ask the provider; repeat it with the same clientMessageId',
    dto: SendDto,
    answer: RESPONSES.SendResult,
  },
  'message:ack': { summary: 'Everything up to seq has arrived', dto: AckDto, answer: NOTHING },
  'message:history': {
    summary: 'Messages after or before a position',
    dto: HistoryDto,
    answer: RESPONSES.MessagePage,
  },
  'typing:start': { summary: 'Begin to write, or go on', dto: ConversationDto, answer: NOTHING },
  'typing:stop': { summary: 'Cease to write', dto: ConversationDto, answer: NOTHING },
  'presence:update': { summary: 'What others see of you', dto: PresenceDto, answer: NOTHING },
  'presence:watch': { summary: 'Hear of the presence of these users', dto: WatchDto, answer: PRESENCE },
  'presence:unwatch': { summary: 'Hear of it no more', dto: WatchDto, answer: PRESENCE },
  'topic:subscribe': { summary: 'Hear system messages to these topics', dto: TopicsDto, answer: TOPICS },
  'topic:unsubscribe': { summary: 'Hear them no more', dto: TopicsDto, answer: TOPICS },
  'stream:pause': {
    summary: 'Pause an answer, for everybody',
    dto: StreamDto,
    answer: RESPONSES.ControlResult,
  },
  'stream:resume': { summary: 'Go on with a paused answer', dto: StreamDto, answer: RESPONSES.ControlResult },
  'stream:cancel': { summary: 'End an answer', dto: StreamDto, answer: RESPONSES.ControlResult },
  'stream:recover': {
    summary: 'Chunks of an answer from a position on',
    dto: RecoverDto,
    answer: RESPONSES.RecoverResult,
  },
  ping: {
    summary: 'Is the way there and back open?',
    dto: null,
    answer: objectSchema<ClientEvents['ping'][1]>({ serverTime: TIME, echo: {} }),
  },
};
