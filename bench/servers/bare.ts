/**
 * The baseline: a bare Socket.IO server that relays what it hears and stores nothing. It knows the events that the
 * scenarios use, checks nothing and promises nothing.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { readTokens } from './token-readers.js';

interface Sent {
  conversationId: string;
  clientMessageId: string;
  content: string;
  respond?: boolean;
  model?: string;
}

type Ack = (answer: object) => void;

const http = createServer();
const io = new Server(http, {
  path: SOCKET_PATH,
  serveClient: false,
  ...(process.env['RECOVERY'] === 'true' && { connectionStateRecovery: {} }),
});
const running = new Map<string, AbortController>();

io.on('connection', (socket) => {
  socket.on('conversation:join', async ({ conversationId }: Sent, ack: Ack) => {
    await socket.join(conversationId);
    ack({ ok: true });
  });
  socket.on('message:send', (sent: Sent, ack: Ack) => {
    if (sent.respond === false) relay(socket, sent, ack);
    else void answer(sent, ack);
  });
  socket.on('stream:cancel', ({ streamId }: { streamId: string }, ack: Ack) => {
    running.get(streamId)?.abort();
    ack({ ok: true });
  });
});

function relay(socket: Socket, { conversationId, clientMessageId, content }: Sent, ack: Ack): void {
  const message = {
    id: randomUUID(),
    conversationId,
    senderId: socket.id,
    role: 'user',
    clientMessageId,
    content,
    createdAt: new Date().toISOString(),
  };
  socket.to(conversationId).emit('message:new', message);
  ack({ ok: true, message });
}

/** Every token of the provider is an event to the room. */
async function answer({ conversationId, content: question, model = '' }: Sent, ack: Ack): Promise<void> {
  const streamId = randomUUID();
  const abort = new AbortController();
  running.set(streamId, abort);
  ack({ ok: true, streamId });
  const room = io.to(conversationId);
  let type = 'complete';
  try {
    for await (const content of readTokens(question, model, abort.signal)) {
      room.emit('stream:chunk', { streamId, type: 'content', content });
    }
  } catch (error) {
    type = abort.signal.aborted ? 'cancelled' : 'error';
    if (type === 'error') console.error(error);
  }
  running.delete(streamId);
  room.emit('stream:chunk', { streamId, type, content: '' });
}

// As most people write it.
process.once('SIGTERM', () => void io.close(() => process.exit(0)));

http.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`ready: http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
});
