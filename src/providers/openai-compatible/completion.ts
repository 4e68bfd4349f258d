import type { Delta } from '../provider.js';
import { answerEnd } from './answer-end.js';
import { isObject } from './json.js';
import { incomplete, type FailureReports } from './provider-errors.js';
import { looksLikeJson, type ServerEvent } from './event-reader.js';
import { ThinkTags, type ThinkTagsMode } from './think-tags.js';

type TextDelta = Exclude<Delta, { type: 'finish' }>;
type TextType = 'content' | 'reasoning';
type Usage = Extract<Delta, { type: 'finish' }>['usage'];

/** Holds back a high surrogate until its other half comes: some servers split an emoji over two chunks. */
class SurrogateJoiner {
  private half = '';

  /** Returns the text that is whole, including what was held back; may be empty. */
  push(text: string): string {
    const joined = this.half + text;
    const last = joined.charCodeAt(joined.length - 1);
    const isHalf = last >= 0xd800 && last <= 0xdbff;
    this.half = isHalf ? joined.slice(-1) : '';
    return isHalf ? joined.slice(0, -1) : joined;
  }

  /** Returns U+FFFD for a half whose other half never came, otherwise nothing. */
  end(): string {
    const rest = this.half.toWellFormed();
    this.half = '';
    return rest;
  }
}

/**
 * Collects one answer from the events of a server. Tolerates what servers leave out or add (keep-alives, empty `choices`,
 * null texts, other models' names); strict about errors, broken JSON and an answer that was cut.
 */
export class Completion {
  private readonly joiners = { content: new SurrogateJoiner(), reasoning: new SurrogateJoiner() };
  private readonly tags: ThinkTags;
  private ready: TextDelta[] = [];
  private usage: Usage = null;
  private reason: string | undefined;
  private readonly seen = { words: false, thinking: false, refusal: false, toolCalls: false };
  /** Whether the server sends the thinking in a field of its own. */
  private thinksApart = false;
  /** Whether any event was part of a chat completion. */
  private hasBegun = false;
  /** Which of several answers this is: with `n` above 1, servers send them all, interleaved. */
  private index: unknown;

  constructor(
    thinkTags: ThinkTagsMode,
    private readonly failures: FailureReports,
  ) {
    this.tags = new ThinkTags(thinkTags);
  }

  /** Whether the server has said why the answer ended: only usage may follow. */
  get isFinished(): boolean {
    return this.reason !== undefined;
  }

  /** Adds an event; passes over what is no part of a chat completion. @throws {DomainError} for a failure that the server reports. */
  add({ name, value, text }: ServerEvent): void {
    if (name === 'error') throw this.failures.reported(value ?? text);
    if (value === undefined && looksLikeJson(text)) throw this.failures.noCompletion(text);
    for (const chunk of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (isObject(chunk)) this.addChunk(chunk);
    }
  }

  /** Returns the text that was added since the last call. */
  takeDeltas(): TextDelta[] {
    const { ready } = this;
    if (ready.length > 0) this.ready = [];
    return ready;
  }

  /**
   * Ends the answer: adds what was held back to the text, and returns the `finish` delta. `head` is the beginning of the response.
   * @throws {DomainError} `provider_error` where the answer was cut, or has no words for the user.
   */
  finish(head: string): Delta {
    this.addTagged(this.tags.end());
    this.addText('reasoning', this.joiners.reasoning.end());
    this.addText('content', this.joiners.content.end());
    const { reason, seen, usage } = this;
    if (reason === undefined) throw this.hasBegun ? incomplete() : this.failures.noCompletion(head);
    const told = answerEnd(reason, seen);
    return {
      type: 'finish',
      usage: usage && counts(usage, seen) ? usage : null,
      ...(told && { reason: told }),
    };
  }

  private addChunk(chunk: Record<string, unknown>): void {
    const fault = faultOf(chunk);
    if (fault !== undefined) throw this.failures.reported(fault);
    const { choices, usage, x_groq: groq } = chunk;
    this.addUsage(usage ?? (isObject(groq) ? groq['usage'] : undefined));
    const choice = this.own(choices);
    if (choice) this.addChoice(choice);
    this.hasBegun ||= Array.isArray(choices) || isObject(usage);
  }

  /** Returns the choice of this answer; of several answers the first to come is read. */
  private own(choices: unknown): Record<string, unknown> | undefined {
    const all = Array.isArray(choices) ? (choices as unknown[]).filter(isObject) : [];
    this.index ??= (all.find(({ index }) => index === 0) ?? all[0])?.['index'];
    return all.find(({ index }) => index === undefined || index === null || index === this.index);
  }

  private addUsage(said: unknown): void {
    const usage = toUsage(said);
    // A server that counts in every chunk may end with zeros.
    if (usage && (this.usage === null || usage.totalTokens >= this.usage.totalTokens)) this.usage = usage;
  }

  private addChoice(choice: Record<string, unknown>): void {
    // Servers that send the whole answer at once, although a stream was requested, call it `message`.
    const { delta, message, text, finish_reason: reason } = choice;
    const said = delta ?? message ?? { content: text };
    // MiniMax sends the whole message once more after its deltas.
    const isRepeat = !isObject(delta) && isObject(message) && this.seen.words;
    if (isObject(said) && !isRepeat) this.addMessage(said);
    if (reason === 'error') throw this.failures.reported(choice['error']);
    // Some servers send an empty reason until there is one.
    if (typeof reason === 'string' && reason !== '') this.reason = reason;
    // A whole message needs no reason.
    else if (isObject(message) && !isObject(delta)) this.reason ??= 'stop';
  }

  private addMessage(message: Record<string, unknown>): void {
    const { content, refusal, reasoning_content: thinking, reasoning, thinking: thought } = message;
    const thoughts = [thinking, reasoning, thought].find((text) => typeof text === 'string' && text !== '');
    if (typeof thoughts === 'string') {
      this.thinksApart = true;
      this.addThinking(thoughts);
    }
    if (typeof content === 'number' || typeof content === 'boolean')
      throw this.failures.noCompletion(JSON.stringify({ choices: [message] }));
    for (const part of partsOf(content)) {
      if (part.type === 'reasoning') this.addThinking(part.text);
      else if (part.type === 'refusal') this.addRefusal(part.text);
      else this.addTagged(this.tags.push(part.text));
    }
    if (typeof refusal === 'string' && refusal !== '') this.addRefusal(refusal);
    const calls = message['tool_calls'] ?? message['function_call'];
    if (Array.isArray(calls) ? calls.length > 0 : isObject(calls)) this.seen.toolCalls = true;
  }

  private addTagged(pieces: ReturnType<ThinkTags['push']>): void {
    for (const { type, text } of pieces) {
      // MiniMax sends its thinking twice: apart, and in tags.
      if (type === 'content' || !this.thinksApart) this.addText(type, this.joiners[type].push(text));
    }
  }

  private addThinking(text: string): void {
    this.addText('reasoning', this.joiners.reasoning.push(text));
  }

  /** A refusal is in words for the user. */
  private addRefusal(text: string): void {
    this.seen.refusal = true;
    this.addText('content', this.joiners.content.push(text));
  }

  private addText(type: TextType, text: string): void {
    if (text === '') return;
    if (type === 'reasoning') this.seen.thinking = true;
    else this.seen.words ||= /\S/.test(text);
    this.ready.push({ type, text });
  }
}

interface Part {
  type: TextType | 'refusal';
  text: string;
}

/** Returns the texts of a content: a string, a part, or an array of them. Mistral's thinking is a part with parts of its own. */
function partsOf(content: unknown): Part[] {
  if (content === undefined || content === null || content === '') return [];
  if (typeof content === 'string') return [{ type: 'content', text: content }];
  if (Array.isArray(content)) return content.flatMap((part) => partsOf(part));
  if (!isObject(content)) return [];
  const { type, text, thinking, reasoning, refusal } = content;
  const thoughts = thinking ?? reasoning;
  if (thoughts !== undefined) return partsOf(thoughts).map((part) => ({ ...part, type: 'reasoning' }));
  if (typeof refusal === 'string') return [{ type: 'refusal', text: refusal }];
  return partsOf(text).map((part) =>
    type === 'thinking' || type === 'reasoning' ? { ...part, type: 'reasoning' } : part,
  );
}

/** Returns the failure that the server reports, if any: most use `error`, older vLLM the whole chunk. */
function faultOf(chunk: Record<string, unknown>): unknown {
  if (chunk['object'] === 'error') return chunk;
  return isNothing(chunk['error']) ? undefined : chunk['error'];
}

/** Whether a value says nothing: some servers send `error: {}`, `""` or `false` beside their text. */
function isNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isNothing);
  return value === undefined || value === null || value === '' || value === false || value === 0;
}

function toUsage(usage: unknown): Usage {
  if (!isObject(usage)) return null;
  const inputTokens = usage['prompt_tokens'] ?? usage['input_tokens'];
  const outputTokens = usage['completion_tokens'] ?? usage['output_tokens'];
  if (!isCount(inputTokens) || !isCount(outputTokens)) return null;
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}

/** Whether a usage is a count: a server that does not count sends zeros beside text. */
function counts(
  { inputTokens, outputTokens }: NonNullable<Usage>,
  seen: { words: boolean; thinking: boolean },
): boolean {
  return inputTokens > 0 && (outputTokens > 0 || !(seen.words || seen.thinking));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
