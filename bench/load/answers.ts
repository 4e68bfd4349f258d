/** Load of the scenarios about answers: people, each in a conversation of their own, who ask and read. */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs, nowUs } from '../harness/clock.js';
import { Samples } from '../harness/figures.js';
import { serve } from '../harness/rpc.js';
import { TOKEN_CHARS } from '../servers/token.js';
import { arrive, joinAll, type Person } from './virtual-users.js';

export interface AnswerCrowd {
  url: string;
  name: string;
  clients: number;
}

export interface RelayLoad {
  seconds: number;
  model: string;
}

export interface RelayResult {
  /** Tokens per second from the first question to the end of the last answer. */
  perSecond: number;
  tokens: number;
  events: number;
  answers: number;
  refused: number;
  cpuUs: number;
}

export interface LatenessResult {
  perSecond: number;
  tokens: number;
  latenessMs: Float64Array;
  cpuUs: number;
}

export interface CancelResult {
  ackMs: number;
  /** When the cancel was sent, in microseconds of the machine's clock. */
  sentAtUs: number;
}

interface Reader extends Person {
  conversationId: string;
  /** Called with the text of each piece of an answer, and at its end. */
  onText: ((text: string) => void) | undefined;
  onEnd: ((type: string) => void) | undefined;
}

const ENDS = new Set(['complete', 'cancelled', 'error']);
const DRAIN_MS = 10_000;

const readers: Reader[] = [];
let questions = 0;
/** Where the lateness of tokens goes while it is measured. */
let counting: Samples | undefined;

async function gather({ url, name, clients }: AnswerCrowd): Promise<void> {
  const userIds = Array.from({ length: clients }, (_, index) => `${name}-${index}`);
  const onEvent = (index: number) => (event: string, payload: string) => {
    if (event === 'stream:chunk') hear(readers[index], payload);
  };
  for (const person of await arrive({ url, userIds, acks: false, onEvent })) {
    readers.push({ ...person, conversationId: `${person.userId}-room`, onText: undefined, onEnd: undefined });
  }
  await joinAll(readers);
}

function hear(reader: Reader | undefined, payload: string): void {
  if (!reader) return;
  const type = textOf(payload, '"type":"');
  if (type === 'content') reader.onText?.(textOf(payload, '"content":"'));
  else if (ENDS.has(type)) reader.onEnd?.(type);
}

/** Tokens have no character that JSON escapes: what stands up to the next quote is the text. */
function textOf(payload: string, before: string): string {
  const start = payload.indexOf(before) + before.length;
  return payload.slice(start, payload.indexOf('"', start));
}

interface Asked {
  streamId: string;
  question: string;
}

/** @throws where the server refuses. */
async function ask(reader: Reader, model: string): Promise<Asked> {
  questions += 1;
  const question = `${reader.userId} asks ${questions}`;
  const { streamId } = await reader.client.ask<{ streamId: string }>('message:send', {
    conversationId: reader.conversationId,
    clientMessageId: `q-${questions}`,
    content: question,
    includeContext: false,
    model,
  });
  return { streamId, question };
}

/** Everybody asks again as soon as an answer has ended. */
async function saturate({ seconds, model }: RelayLoad): Promise<RelayResult> {
  const cpu = process.cpuUsage();
  const start = nowMs();
  const end = start + seconds * 1000;
  const counts = { chars: 0, events: 0, answers: 0, refused: 0, underWay: 0 };
  let lastEnd = end;
  const begin = (reader: Reader): void => {
    counts.underWay += 1;
    ask(reader, model).catch(() => {
      counts.refused += 1;
      counts.underWay -= 1;
    });
  };
  for (const reader of readers) {
    reader.onText = (text) => {
      counts.events += 1;
      counts.chars += text.length;
    };
    reader.onEnd = (type) => {
      lastEnd = nowMs();
      counts.underWay -= 1;
      if (type === 'complete') counts.answers += 1;
      else counts.refused += 1;
      if (nowMs() < end) begin(reader);
    };
    begin(reader);
  }
  await delay(end - nowMs());
  await until(() => counts.underWay === 0);
  const { user, system } = process.cpuUsage(cpu);
  const { events, answers } = counts;
  const tokens = counts.chars / TOKEN_CHARS;
  const perSecond = (tokens * 1000) / (lastEnd - start);
  const refused = counts.refused + counts.underWay;
  return { perSecond, tokens, events, answers, refused, cpuUs: user + system };
}

/** Everybody asks for an answer that goes on without end; spread over `overMs`. */
async function startAll({ model, overMs }: { model: string; overMs: number }): Promise<void> {
  const end = nowMs() + overMs;
  for (const [index, reader] of readers.entries()) {
    reader.onText = tokenClock();
    // A server that cannot keep up acks late: what it does not deliver shows in the tokens.
    ask(reader, model).catch((error: unknown) => console.error(String(error)));
    const due = end - overMs * (1 - (index + 1) / readers.length);
    if (due > nowMs()) await delay(due - nowMs());
  }
}

/** Counts how late tokens are. A chunk may end within a token: the rest comes with the next one. */
function tokenClock(): (text: string) => void {
  let rest = '';
  return (text) => {
    const now = nowUs();
    const joined = rest + text;
    const whole = joined.length - (joined.length % TOKEN_CHARS);
    for (let at = 0; at < whole; at += TOKEN_CHARS) {
      counting?.add((now - Number.parseInt(joined.slice(at, at + TOKEN_CHARS), 36)) / 1000);
    }
    rest = joined.slice(whole);
  };
}

/** How late each token arrives that comes within the time. */
async function lateness({ seconds }: { seconds: number }): Promise<LatenessResult> {
  const cpu = process.cpuUsage();
  const samples = new Samples();
  counting = samples;
  await delay(seconds * 1000);
  counting = undefined;
  const { user, system } = process.cpuUsage(cpu);
  const tokens = samples.size;
  return { perSecond: tokens / seconds, tokens, latenessMs: samples.take(), cpuUs: user + system };
}

/** Milliseconds from a question to the first text of its answer; waits for the end before it answers. */
async function firstToken({ model }: { model: string }): Promise<number> {
  const reader = readers[0] as Reader;
  const askedAt = nowMs();
  const ended = new Promise((resolve) => (reader.onEnd = resolve));
  const first = new Promise<number>((resolve) => {
    reader.onText = () => resolve(nowMs() - askedAt);
  });
  await ask(reader, model);
  const firstMs = await first;
  await ended;
  return firstMs;
}

/** Asks, waits for three pieces of the answer, and cancels it. */
async function askAndCancel({ model }: { model: string }): Promise<CancelResult & { question: string }> {
  const reader = readers[0] as Reader;
  let pieces = 0;
  const running = new Promise<void>((resolve) => {
    reader.onText = () => {
      pieces += 1;
      if (pieces === 3) resolve();
    };
  });
  const ended = new Promise((resolve) => (reader.onEnd = resolve));
  const { streamId, question } = await ask(reader, model);
  await running;
  const sentAtUs = nowUs();
  await reader.client.ask('stream:cancel', { streamId });
  const ackMs = (nowUs() - sentAtUs) / 1000;
  await ended;
  return { ackMs, sentAtUs, question };
}

async function until(reached: () => boolean): Promise<void> {
  const deadline = nowMs() + DRAIN_MS;
  while (!reached() && nowMs() < deadline) await delay(10);
}

serve({ gather, saturate, startAll, lateness, firstToken, askAndCancel });
