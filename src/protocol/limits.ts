/** Bounds that are part of the protocol, not of the configuration (protocol sections 1, 4 and 5). */
export const LIMITS = {
  conversationIdChars: 128,
  clientMessageIdChars: 128,
  userIdChars: 256,
  nameChars: 128,
  titleChars: 256,
  metadataDepth: 4,
  metadataBytes: 4096,
  /** Messages of one history or join ack. */
  pageMessages: 200,
  defaultPageMessages: 50,
  /** Bytes of content in one page of messages, deliveries or chunks. */
  pageBytes: 256 * 1024,
  /** UTF-16 code units that a provider may send for one answer: a stream that never ends must not grow without bound (P7). */
  answerChars: 8 * 1024 * 1024,
  /** Chunks of one `stream:recover` ack. */
  pageChunks: 500,
  /** Items of one `queue:deliver`. */
  deliverItems: 100,
  /** Conversations that one connection may have joined at once. */
  joinedConversations: 256,
  /** Users whose presence one connection may watch at once. */
  watchedUsers: 256,
  /** Topics that one connection may have subscribed to at once. */
  topics: 64,
  topicChars: 128,
  /** A continued typing indicator is announced at most this often, per user and conversation. */
  typingAnnounceMs: 2000,
  chunkBytesMin: 1,
  chunkBytesMax: 65_536,
  chunkDelayMaxMs: 5000,
  /** How long a request may take until it fails with `timeout`. */
  requestTimeoutMs: 5000,
} as const;

/** Sender id of the assistant's messages. No token may have it as `sub`. */
export const ASSISTANT_ID = 'assistant';

/** Prefix of the user id of every guest. No other token's `sub` may begin with it. */
export const GUEST_PREFIX = 'guest:';

/** Path of the Socket.IO server. */
export const SOCKET_PATH = '/api/ws/chat';
