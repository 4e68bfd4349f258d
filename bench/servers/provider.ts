/**
 * A chat completions server that costs as little as one can: what it says is rendered before. The model's name orders
 * the answer: `flood-<tokens>` sends all at once; `paced-<ms>` sends a token each so many milliseconds until
 * nobody reads, and each token is the time at which it was sent.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { nowMs, nowUs } from '../harness/clock.js';
import { serve } from '../harness/rpc.js';
import { TOKEN_CHARS } from './token.js';

interface Paced {
  socket: Socket;
  response: ServerResponse;
  everyMs: number;
  dueMs: number;
}

const TICK_MS = 2;
/** Longer than any scenario: a connection that is closed while it is taken again would be a fault of its own. */
const KEEP_ALIVE_MS = 600_000;
/** A reader that is so far behind misses tokens, which shows in what is offered. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const FRAME = { before: frameBefore(), after: '"},"finish_reason":null}]}\n\n' };
const END =
  `${FRAME.before}"},"finish_reason":"stop"}]}\n\n` +
  'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}\n\ndata: [DONE]\n\n';

const floods = new Map<number, string>();
const closedAt = new Map<string, number>();
const paced = new Set<Paced>();
let pacedTokens = 0;
let ticking: NodeJS.Timeout | undefined;

function frameBefore(): string {
  return (
    'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench",' +
    '"choices":[{"index":0,"delta":{"content":"'
  );
}

function floodOf(tokens: number): string {
  const known = floods.get(tokens);
  if (known !== undefined) return known;
  const token = (index: number): string =>
    `${FRAME.before}${`token${index % 1000}`.padEnd(TOKEN_CHARS)}${FRAME.after}`;
  const flood = Array.from({ length: tokens }, (_, index) => token(index)).join('') + END;
  floods.set(tokens, flood);
  return flood;
}

const http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
  // At its start a server asks for the list of models.
  if (request.method !== 'POST') {
    response.writeHead(404).end();
    return;
  }
  void readBody(request).then(({ model, messages }) => {
    const question = messages.at(-1)?.content;
    const asked = typeof question === 'string' ? question : (question?.[0]?.text ?? '');
    response.socket?.setNoDelay(true);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const [kind, number] = model.split('-');
    if (kind === 'flood') return response.end(floodOf(Number(number)));
    return pace(response, Number(number), asked);
  });
});

interface ChatBody {
  model: string;
  messages: { content: string | { text: string }[] }[];
}

async function readBody(request: IncomingMessage): Promise<ChatBody> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part as string;
  return JSON.parse(text) as ChatBody;
}

function pace(response: ServerResponse, everyMs: number, asked: string): void {
  const { socket } = response;
  if (!socket) return;
  response.flushHeaders();
  const stream = { socket, response, everyMs, dueMs: nowMs() };
  paced.add(stream);
  ticking ??= setInterval(tick, TICK_MS);
  response.once('close', () => {
    closedAt.set(asked, nowUs());
    paced.delete(stream);
  });
}

/** Writes chunks past Node's own framing: at 50,000 tokens a second that is what costs. */
function tick(): void {
  const now = nowMs();
  for (const stream of paced) {
    if (now < stream.dueMs) continue;
    stream.dueMs = Math.max(stream.dueMs + stream.everyMs, now);
    if (stream.socket.writableLength > MAX_UNREAD_BYTES) continue;
    const text = `${FRAME.before}${nowUs().toString(36).padStart(TOKEN_CHARS, '0')}${FRAME.after}`;
    stream.socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
    pacedTokens += 1;
  }
  if (paced.size > 0) return;
  clearInterval(ticking);
  ticking = undefined;
}

function takePacedTokens(): number {
  const taken = pacedTokens;
  pacedTokens = 0;
  return taken;
}

async function listen(): Promise<string> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`;
}

serve({
  listen,
  takePacedTokens,
  /** When the connection of an answer was closed, by its question; in microseconds of the machine's clock. */
  closedAt: (asked: string) => closedAt.get(asked) ?? null,
});
