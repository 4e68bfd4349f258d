import { isObject } from './json.js';
import type { Delta } from '../provider.js';
import { incomplete, noCompletion, saidFailure } from './provider-errors.js';
import { SurrogateJoiner } from './surrogate-joiner.js';

type TextDelta = Exclude<Delta, { type: 'finish' }>;
type Usage = Extract<Delta, { type: 'finish' }>['usage'];

/**
 * One answer out of the JSON in which a server sends it. Tolerant of what servers leave out or add (empty `choices`,
 * null texts, tool calls, other models' names), strict about errors and about what is no chat completion at all.
 */
export class Completion {
  private readonly texts = { content: new SurrogateJoiner(), reasoning: new SurrogateJoiner() };
  private ready: TextDelta[] = [];
  private usage: Usage = null;
  private isFinished = false;

  constructor(private readonly apiKey: string | undefined) {}

  /** Takes a chunk of the answer, or all of it. @throws {DomainError} what the server says has failed. */
  take(json: string): void {
    const chunk = parse(json);
    if (!isObject(chunk)) throw noCompletion();
    const fault = faultOf(chunk);
    if (fault !== undefined) throw saidFailure(fault, this.apiKey);
    const choices = chunk['choices'];
    if (!Array.isArray(choices) && !isObject(chunk['usage'])) throw noCompletion();
    this.usage = toUsage(chunk['usage']) ?? this.usage;
    const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
    if (isObject(choice)) this.takeChoice(choice);
  }

  /** The text that has become whole since the last call. */
  takeDeltas(): TextDelta[] {
    const { ready } = this;
    if (ready.length > 0) this.ready = [];
    return ready;
  }

  /** What is left, and how the answer ended. @throws {DomainError} `provider_error` where no finish reason came: it was cut. */
  finish(): [...TextDelta[], Delta] {
    if (!this.isFinished) throw incomplete();
    this.add('reasoning', this.texts.reasoning.end());
    this.add('content', this.texts.content.end());
    return [...this.takeDeltas(), { type: 'finish', usage: this.usage }];
  }

  private takeChoice(choice: Record<string, unknown>): void {
    // `message` is that of a server that answers all at once although it was asked for a stream.
    const delta = choice['delta'] ?? choice['message'];
    if (isObject(delta)) {
      const reasoning = delta['reasoning_content'] ?? delta['reasoning'];
      if (typeof reasoning === 'string') this.add('reasoning', this.texts.reasoning.push(reasoning));
      const content = delta['content'];
      if (typeof content === 'string') this.add('content', this.texts.content.push(content));
      else if (content !== undefined && content !== null) throw noCompletion();
    }
    const reason = choice['finish_reason'];
    if (reason === 'error') throw saidFailure(choice['error'], this.apiKey);
    // An empty one is how some servers write that there is none yet.
    if (typeof reason === 'string' && reason !== '') this.isFinished = true;
  }

  private add(type: TextDelta['type'], text: string): void {
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

/** What the server says has gone wrong: `error` of most, the whole chunk of older vLLM. */
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
