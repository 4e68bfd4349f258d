import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { DIALECTS } from './llm-dialects.js';
import { ODD_DIALECTS } from './llm-odd-dialects.js';
import { strictRefusal } from './strict-prompt.js';

const WORDS = 'The quick brown fox jumps over the lazy dog and runs home'.split(' ');

/** One request, as a behaviour sees it. */
export interface Turn {
  response: ServerResponse;
  /** The prompt. */
  messages: { role: string; content: string }[];
  /** Last message of the prompt. */
  question: string;
  /** The request's `Authorization` header. */
  authorization: string;
  /** Whether the request asks for usage by `stream_options`. */
  asksForUsage: boolean;
  /** Aborted when the client's connection is gone. */
  signal: AbortSignal;
  /** Called with the size of each write. */
  wrote: (bytes: number) => void;
}

type Behaviour = (turn: Turn, args: string[]) => Promise<void>;

/** Returns the text that `words:<count>` sends. */
export function wordsText(count: number): string {
  return Array.from({ length: count }, (_, index) => `${WORDS[index % WORDS.length]} `).join('');
}

/**
 * Answers a request by `behaviour`: a name and its arguments, joined by colons.
 *
 * | behaviour | answer |
 * |---|---|
 * | `words:<count>:<delayMs>` | that many words, one a chunk, then usage |
 * | `say:<text>` | this text in one chunk, then usage |
 * | `echo` | the last message of the prompt |
 * | `reasoning:<text>` | this reasoning, then `words:3` |
 * | `nousage:<count>` | words without usage at the end |
 * | `status:<code>:<Retry-After>` | an error response |
 * | `loading` | 503, as llama.cpp sends it while it loads the model |
 * | `stall:none` | nothing at all, not even headers |
 * | `stall:<words>` | headers and that many words, then silence |
 * | `reset` | the connection destroyed before the headers |
 * | `cut:<words>` | the connection destroyed after that many words |
 * | `nofinish:<words>` | a clean end without a finish reason |
 * | `html` | a page instead of an event stream |
 * | `badjson:<words>` | broken JSON in an event |
 * | `odd:<words>` | an event of an unknown shape |
 * | `error:<words>` | the protocol's own error event; the connection stays open |
 * | `leak:<way>` | a failure that repeats the prompt and the key: see `LEAKS` |
 * | `surrogates` | an emoji split over two chunks |
 * | `endless:<bytes>` | chunks of that size for ever, as fast as they are read |
 * | `large:<bytes>:<count>:<delayMs>` | that many chunks of that size, then the end |
 * | `endlessline` | one event line that never ends |
 * | `dialect:<name>` | an answer in the dialect of a real server: see `DIALECTS` and `ODD_DIALECTS` |
 * | `template:<behaviour>` | 400 to a prompt that strict servers refuse (see `strictRefusal`); else that behaviour |
 * | `strict:<behaviour>` | 422 to a request with `stream_options`, as Mistral's and Azure's; else that behaviour |
 */
export async function behave(behaviour: string, turn: Turn): Promise<void> {
  const [name = '', ...args] = behaviour.split(':');
  const run = BEHAVIOURS[name];
  if (run) await run(turn, args);
  else await BEHAVIOURS['words']?.(turn, ['20']);
}

const BEHAVIOURS: Record<string, Behaviour> = {
  words: async (turn, [count = '20', delayMs = '0']) => {
    await words(turn, Number(count), Number(delayMs));
    await finish(turn, {
      prompt_tokens: 7,
      completion_tokens: Number(count),
      total_tokens: 7 + Number(count),
    });
  },
  say: async (turn, text) => {
    await content(turn, text.join(':'));
    await finish(turn, { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
  },
  echo: async (turn) => {
    await content(turn, turn.question);
    await finish(turn);
  },
  reasoning: async (turn, text) => {
    await chunk(turn, { delta: { reasoning_content: text.join(':') } });
    await words(turn, 3, 0);
    await finish(turn);
  },
  nousage: async (turn, [count = '3']) => {
    await words(turn, Number(count), 0);
    await finish(turn);
  },
  status: async ({ response, question }, [code = '500', ...retryAfter]) => {
    response.writeHead(Number(code), {
      'content-type': 'application/json',
      ...(retryAfter.length > 0 && { 'retry-after': retryAfter.join(':') }),
    });
    response.end(JSON.stringify({ error: { message: `Refused: ${question}`, type: 'test' } }));
  },
  loading: async ({ response }) => {
    const error = { code: 503, message: 'Loading model', type: 'unavailable_error' };
    response.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  },
  stall: async (turn, [where = '0']) => {
    if (where !== 'none') {
      head(turn);
      await words(turn, Number(where), 0);
    }
    if (!turn.signal.aborted) await once(turn.signal, 'abort');
  },
  reset: async ({ response }) => {
    response.socket?.destroy();
  },
  cut: async (turn, [count = '3']) => {
    await words(turn, Number(count), 0);
    // Destroyed only after the words are sent: the cut must come in the middle of the answer.
    turn.response.socket?.end(() => turn.response.socket?.destroy());
  },
  nofinish: async (turn, [count = '3']) => {
    await words(turn, Number(count), 0);
    await event(turn, '[DONE]');
    turn.response.end();
  },
  html: async ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Welcome</title><p>This is not an API.</p>');
  },
  badjson: async (turn, [count = '0']) => {
    await words(turn, Number(count), 0);
    await event(turn, '{"choices":[{"delta":{"content":');
    await finish(turn);
  },
  odd: async (turn, [count = '0']) => {
    await words(turn, Number(count), 0);
    await event(turn, '{"hello":"world"}');
    await finish(turn);
  },
  error: async (turn, [count = '3']) => {
    await words(turn, Number(count), 0);
    await event(turn, JSON.stringify({ error: { message: 'Out of memory.', type: 'server_error' } }));
    if (!turn.signal.aborted) await once(turn.signal, 'abort');
  },
  leak: async (turn, [way = '']) => {
    const key = turn.authorization.replace('Bearer ', '');
    await LEAKS[way]?.(turn, `${turn.authorization} may not ask ${turn.question} by ${key}`);
    turn.response.end();
  },
  surrogates: async (turn) => {
    await content(turn, 'smile \ud83d');
    await content(turn, '\ude00 again');
    await finish(turn);
  },
  endless: async (turn, [bytes = '1024']) => {
    const text = 'x'.repeat(Number(bytes));
    while (!turn.signal.aborted) await content(turn, text);
  },
  large: async (turn, [bytes = '1024', count = '1', delayMs = '0']) => {
    const text = 'x'.repeat(Number(bytes));
    for (let index = 0; index < Number(count); index += 1) {
      if (delayMs !== '0') await delay(Number(delayMs), undefined, { signal: turn.signal });
      await content(turn, text);
    }
    await finish(turn);
  },
  dialect: async (turn, [name = '']) => {
    const dialect = DIALECTS[name] ?? ODD_DIALECTS[name];
    const { contentType = 'text/event-stream', contentEncoding, parts = [], staysOpen } = dialect ?? {};
    turn.response.writeHead(200, {
      ...(contentType !== '' && { 'content-type': contentType }),
      ...(contentEncoding !== undefined && { 'content-encoding': contentEncoding }),
    });
    for (const part of parts) {
      await write(turn, part);
      // Lets each part arrive by itself.
      await delay(5, undefined, { signal: turn.signal });
    }
    if (staysOpen && !turn.signal.aborted) await once(turn.signal, 'abort');
    turn.response.end();
  },
  strict: async (turn, rest) => {
    if (!turn.asksForUsage) return behave(rest.join(':'), turn);
    turn.response.writeHead(422, { 'content-type': 'application/json' });
    turn.response.end('{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}');
  },
  template: async (turn, rest) => {
    const message = strictRefusal(turn.messages);
    if (message === undefined) return behave(rest.join(':'), turn);
    turn.response.writeHead(400, { 'content-type': 'application/json' });
    turn.response.end(JSON.stringify({ object: 'error', message, type: 'BadRequestError', code: 400 }));
  },
  endlessline: async (turn) => {
    head(turn);
    while (!turn.signal.aborted) await write(turn, `data: ${'x'.repeat(16_384)}`);
  },
};

/** Ways in which failing providers repeat what they were sent. */
const LEAKS: Record<string, (turn: Turn, said: string) => unknown> = {
  refusal: ({ response }, said) =>
    response.writeHead(400).write(JSON.stringify({ error: { message: said } })),
  text: ({ response }, said) => response.writeHead(500).write(said),
  header: ({ response }, said) => response.writeHead(503, said, { 'retry-after': said, 'x-said': said }),
  type: ({ response }, said) => response.writeHead(200, { 'content-type': said }).write(said),
  inside: (turn, said) => event(turn, JSON.stringify({ error: { message: said } })),
  sentence: (turn, said) => event(turn, JSON.stringify({ error: said })),
  code: (turn, said) => event(turn, JSON.stringify({ error: { code: 429, message: said } })),
  broken: (turn, said) => event(turn, `{"choices":[{"delta":{"content":"${said}`),
  // Not HTTP at all.
  bytes: ({ response }, said) => response.socket?.write(`${said}\r\n\r\n`),
};

function head({ response }: Turn): void {
  if (response.headersSent) return;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
}

async function words(turn: Turn, count: number, delayMs: number): Promise<void> {
  head(turn);
  for (let index = 0; index < count; index += 1) {
    if (delayMs > 0) await delay(delayMs, undefined, { signal: turn.signal });
    await content(turn, `${WORDS[index % WORDS.length]} `);
  }
}

async function content(turn: Turn, text: string): Promise<void> {
  await chunk(turn, { delta: { content: text } });
}

async function finish(turn: Turn, usage?: object): Promise<void> {
  await chunk(turn, { delta: {}, finish_reason: 'stop' });
  if (usage) await event(turn, JSON.stringify({ ...envelope(), choices: [], usage }));
  await event(turn, '[DONE]');
  turn.response.end();
}

async function chunk(turn: Turn, choice: object): Promise<void> {
  await event(turn, JSON.stringify({ ...envelope(), choices: [{ index: 0, ...choice }] }));
}

function envelope(): object {
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'test' };
}

async function event(turn: Turn, data: string): Promise<void> {
  head(turn);
  await write(turn, `data: ${data}\n\n`);
}

/** Writes, and waits for the client to read. */
async function write({ response, signal, wrote }: Turn, text: string | Buffer): Promise<void> {
  signal.throwIfAborted();
  wrote(Buffer.byteLength(text));
  if (!response.write(text)) await once(response, 'drain', { signal });
}
