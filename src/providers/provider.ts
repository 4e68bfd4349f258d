import type { ContextIds } from '../platform/tracing/request-context.js';
import type { Usage } from '../protocol/index.js';

/** One entry of the prompt, oldest first. `name` is set once more than one person has spoken. */
export interface PromptMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
  name?: string;
}

export interface ProviderRequest {
  model: string;
  messages: readonly PromptMessage[];
  /** Answer text that is in the log already: the provider goes on right behind it. Absent at the first try. */
  continueFrom?: string;
  /** For what is asked: goes along, so that the provider's log and trace can be held beside ours. */
  work?: ContextIds;
  /** Milliseconds that are left for the whole answer, where that is less than the provider's own limit. */
  timeoutMs?: number;
  /** Ends the request: the provider closes its connection and the iteration throws an `AbortError`. */
  signal: AbortSignal;
}

/** A piece of an answer. Text may be of any length and may split a grapheme, never a code point. */
export type Delta =
  | { type: 'content' | 'reasoning' | 'progress'; text: string }
  /** Always the last delta of an answer that was not cut; `usage` is null where the provider does not count. */
  | { type: 'finish'; usage: Omit<Usage, 'source'> | null };

/**
 * What produces a response (design section 8). Pulled, never pushed: what is not read is not produced.
 * Iterations throw `DomainError` with `provider_error`, `provider_unavailable` or `provider_timeout`.
 */
export interface Provider {
  readonly name: string;
  /** Models that a request may name; the first is the default. */
  readonly models: readonly [string, ...string[]];
  /** Whether `continueFrom` yields the rest of the same answer. */
  readonly canContinue: boolean;
  stream(request: ProviderRequest): AsyncIterable<Delta>;
}
