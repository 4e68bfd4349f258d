import type { Delta } from '../provider.js';
import { incomplete, isObject, noCompletion, reportedFailure } from './provider-errors.js';

type TextDelta = Exclude<Delta, { type: 'finish' }>;
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
 * Collects one answer from the JSON chunks of a server. Tolerates what servers leave out or add (empty `choices`, null
 * texts, tool calls, other models' names); strict about errors and about JSON that is not a chat completion.
 */
export class Completion {
  private readonly texts = { content: new SurrogateJoiner(), reasoning: new SurrogateJoiner() };
  private ready: TextDelta[] = [];
  private usage: Usage = null;
  private isFinished = false;

  constructor(private readonly apiKey: string | undefined) {}

  /** Adds a chunk of the answer, or all of it. @throws {DomainError} for a failure that the server reports. */
  add(json: string): void {
    const chunk = parse(json);
    if (!isObject(chunk)) throw noCompletion();
    const fault = faultOf(chunk);
    if (fault !== undefined) throw reportedFailure(fault, this.apiKey);
    const choices = chunk['choices'];
    if (!Array.isArray(choices) && !isObject(chunk['usage'])) throw noCompletion();
    this.usage = toUsage(chunk['usage']) ?? this.usage;
    const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
    if (isObject(choice)) this.addChoice(choice);
  }

  /** Returns the text that was added since the last call. */
  takeDeltas(): TextDelta[] {
    const { ready } = this;
    if (ready.length > 0) this.ready = [];
    return ready;
  }

  /** Returns the rest of the text and the `finish` delta. @throws {DomainError} `provider_error` where no finish reason came: the answer was cut. */
  finish(): [...TextDelta[], Delta] {
    if (!this.isFinished) throw incomplete();
    this.addText('reasoning', this.texts.reasoning.end());
    this.addText('content', this.texts.content.end());
    return [...this.takeDeltas(), { type: 'finish', usage: this.usage }];
  }

  private addChoice(choice: Record<string, unknown>): void {
    // Servers that send the whole answer at once, although a stream was requested, call it `message`.
    const delta = choice['delta'] ?? choice['message'];
    if (isObject(delta)) {
      const reasoning = delta['reasoning_content'] ?? delta['reasoning'];
      if (typeof reasoning === 'string') this.addText('reasoning', this.texts.reasoning.push(reasoning));
      const content = delta['content'];
      if (typeof content === 'string') this.addText('content', this.texts.content.push(content));
      else if (content !== undefined && content !== null) throw noCompletion();
    }
    const reason = choice['finish_reason'];
    if (reason === 'error') throw reportedFailure(choice['error'], this.apiKey);
    // Some servers send an empty reason until there is one.
    if (typeof reason === 'string' && reason !== '') this.isFinished = true;
  }

  private addText(type: TextDelta['type'], text: string): void {
    if (text !== '') this.ready.push({ type, text });
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw noCompletion();
  }
}

/** Returns the failure that the server reports, if any: most use `error`, older vLLM the whole chunk. */
function faultOf(chunk: Record<string, unknown>): unknown {
  if (chunk['object'] === 'error') return chunk;
  return chunk['error'] ?? undefined;
}

function toUsage(usage: unknown): Usage {
  if (!isObject(usage)) return null;
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = usage;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return null;
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
