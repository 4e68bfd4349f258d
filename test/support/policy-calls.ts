/** What a good request is about; all of it exists. */
export interface Scene {
  /** Its members are owner, member and bystander. */
  conversationId: string;
  /** Asked by the bystander. */
  streamId: string;
  /** The bystander. */
  userId: string;
  /** One of the bystander's connections. */
  connectionId: string;
  /** The caller's own. */
  token: string;
}

/** Payload of an event or body of a route; `stream` where a running one is needed, `connection` where an open one is. */
export interface PolicyCall {
  stream?: true;
  connection?: true;
  payload?: (scene: Scene) => object;
  query?: string;
}

const conversation = ({ conversationId }: Scene): object => ({ conversationId });
const stream = { stream: true, payload: ({ streamId }: Scene) => ({ streamId }) } as const;
const user = ({ userId }: Scene): object => ({ userIds: [userId] });
const topics = { payload: () => ({ topics: ['news'] }) };
const message = { clientMessageId: 'c1', content: 'Hello.', respond: false };
const ask = ({ conversationId }: Scene): object => ({ conversationId, message: 'Why?' });

/** A good request for every event and every route, whoever sends it. Parameters of paths are filled in from the scene. */
export const POLICY_CALLS: Readonly<Record<string, PolicyCall>> = {
  'auth:refresh': { payload: ({ token }) => ({ token }) },
  'conversation:join': { payload: conversation },
  'conversation:leave': { payload: conversation },
  'message:send': { payload: (scene) => ({ ...conversation(scene), ...message }) },
  'message:ack': { payload: (scene) => ({ ...conversation(scene), seq: 1 }) },
  'message:history': { payload: conversation },
  'stream:pause': stream,
  'stream:resume': stream,
  'stream:cancel': stream,
  'stream:recover': { stream: true, payload: ({ streamId }) => ({ streamId, fromSequence: 0 }) },
  'typing:start': { payload: conversation },
  'typing:stop': { payload: conversation },
  'presence:update': { payload: () => ({ status: 'busy' }) },
  'presence:watch': { payload: user },
  'presence:unwatch': { payload: user },
  'topic:subscribe': topics,
  'topic:unsubscribe': topics,
  ping: {},
  'POST /api/auth/guest': {},
  'POST /api/auth/ticket': stream,
  'POST /api/auth/revocations': { payload: () => ({ jti: 'nobody-has-this' }) },
  'POST /api/conversations': {},
  'GET /api/conversations': {},
  'GET /api/conversations/:id': {},
  'PATCH /api/conversations/:id': { payload: () => ({ title: 'New' }) },
  'DELETE /api/conversations/:id': {},
  'PUT /api/conversations/:id/members/:userId': {},
  'DELETE /api/conversations/:id/members/:userId': {},
  'POST /api/conversations/:id/ack': { payload: () => ({ seq: 1 }) },
  'GET /api/conversations/:id/messages': {},
  'POST /api/conversations/:id/messages': { payload: () => message },
  'POST /api/ws/stream/sse': { payload: ask },
  'POST /api/ws/stream/http': { payload: ask },
  'GET /api/ws/stream/:streamId/sse': { stream: true },
  'GET /api/ws/stream/:streamId/http': { stream: true },
  'GET /api/ws/stream/:streamId/status': { stream: true },
  'POST /api/ws/stream/:streamId/pause': { stream: true },
  'POST /api/ws/stream/:streamId/resume': { stream: true },
  'POST /api/ws/stream/:streamId/cancel': { stream: true },
  'POST /api/ws/stream/:streamId/recover': { stream: true, query: '?fromSequence=0' },
  'GET /api/ws/stream/active': {},
  'GET /api/ws/stream/metrics': {},
  'GET /api/ws/queue/:userId': {},
  'DELETE /api/ws/queue/:userId': {},
  'POST /api/ws/users/:userId/messages': { payload: () => ({ content: 'Hello.' }) },
  'GET /api/ws/presence/online': {},
  'GET /api/ws/presence/:userId': {},
  'GET /api/ws/typing/:conversationId': {},
  'GET /api/ws/connections/:userId': {},
  'GET /api/ws/connections/conversation/:conversationId': {},
  'DELETE /api/ws/connections/:connectionId': { connection: true },
  'POST /api/ws/topics/:topic/messages': { payload: () => ({ content: 'Hello.' }) },
  'GET /api/asyncapi-json': {},
  'GET /api/ws/stats': {},
  'GET /api/ws/dashboard': {},
  'GET /metrics': {},
  'GET /api/ws/health': {},
  'GET /api/ws/health/live': {},
  'GET /api/ws/health/ready': {},
};
