import type { ContextIds } from '../platform/tracing/request-context.js';
import type { Usage } from '../protocol/index.js';

/** One message of the prompt. `name` is set when more than one person has spoken. */
export interface PromptMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
  name?: string;
}

export interface ProviderRequest {
  model: string;
  /** The prompt, oldest message first. */
  messages: readonly PromptMessage[];
  /** The part of the answer that is in the log already; the deltas continue right after it. Absent at the first try. */
  continueFrom?: string;
  /** Ids of the request that asked, to be sent along so that the provider's logs and traces can be matched with ours. */
  context?: ContextIds;
  /** Milliseconds of silence left before the first word, where that is less than the provider's own limit. */
  firstTokenTimeoutMs?: number;
  /** Ends the request: the provider closes its connection and the iteration throws an `AbortError`. */
  signal: AbortSignal;
}

/** A piece of an answer. Text may be of any length, and may split a grapheme but never a code point. */
export type Delta =
  | { type: 'content' | 'reasoning' | 'progress'; text: string }
  /**
   * The last delta of every answer that was not cut. `usage` is null where the provider does not count. `reason` says why the
   * answer ended other than by its natural end: `length`, `content_filter`, `refusal`, or another word in `a-z_`.
   */
  | { type: 'finish'; usage: Omit<Usage, 'source'> | null; reason?: string };

/**
 * Produces answers: a language model or anything else that writes text. Deltas are pulled: nothing is read ahead of the
 * consumer. An iteration throws a `DomainError` with `provider_error`, `provider_unavailable` or `provider_timeout`, or
 * an `AbortError`; an end without a `finish` delta is an error too. Register a provider in `ProviderRegistry`.
 *
 * @example
 * class EchoProvider implements Provider {
 *   readonly name = 'echo';
 *   readonly models = ['echo'] as const;
 *   readonly canContinue = true;
 *
 *   async *stream({ messages, continueFrom = '', signal }: ProviderRequest): AsyncGenerator<Delta> {
 *     const text = messages.at(-1)?.content ?? '';
 *     for (const word of text.slice(continueFrom.length).split(/(?<=\s)/)) {
 *       signal.throwIfAborted();
 *       yield { type: 'content', text: word };
 *     }
 *     yield { type: 'finish', usage: null };
 *   }
 * }
 */
export interface Provider {
  readonly name: string;
  /** Models that a request may name; the first is the default. */
  readonly models: readonly [string, ...string[]];
  /** Whether `continueFrom` yields the rest of the same answer. */
  readonly canContinue: boolean;
  stream(request: ProviderRequest): AsyncIterable<Delta>;
}
