import type { PromptMessage, ProviderRequest } from '../provider.js';

/** A message of the API. Strict servers refuse any further field. */
export type ChatMessage = Pick<PromptMessage, 'role' | 'content'>;

/** Stands for a question without any visible character: most servers refuse an empty message. */
const EMPTY_QUESTION = '(empty message)';
/** Between messages that became one. */
const SEPARATOR = '\n\n';
/** Whitespace by the rules of Python, Go and Jinja, control characters, and characters of no width. */
const INVISIBLE = /^[\s\p{Cc}\p{Cf}\p{Z}]*$/u;

/**
 * Converts our prompt to messages that the strictest servers and chat templates take (Mistral, Gemma, Llama 2, Anthropic,
 * Gemini): at most one system message, which comes first; then user and assistant in turn, beginning with the user; none
 * of them empty. Messages of one role in a row become one; an answer whose question is not in the prompt is left out.
 *
 * In a conversation of several people the speaker's name stands before the text (`Alice: …`): the API's own `name` field
 * allows no spaces, and Ollama, llama.cpp and most chat templates drop it.
 *
 * The part of an answer that must be continued comes last, as the assistant's message, without the whitespace at its end:
 * Anthropic refuses it. See {@link ContinuationGap}.
 */
export function toChatMessages({ messages, continueFrom = '' }: ProviderRequest): ChatMessage[] {
  const visible = messages.filter(({ content }) => !INVISIBLE.test(content));
  const system = visible.filter(({ role }) => role === 'system').map(({ content }) => content);
  const turns = alternate(visible.filter(({ role }) => role !== 'system'));
  if (turns.at(-1)?.role !== 'user') turns.push({ role: 'user', content: EMPTY_QUESTION });
  const begun = continueFrom.trimEnd();
  return [
    ...(system.length > 0 ? [{ role: 'system', content: system.join(SEPARATOR) } as const] : []),
    ...turns,
    ...(INVISIBLE.test(begun) ? [] : [{ role: 'assistant', content: begun } as const]),
  ];
}

/** Drops the whitespace that {@link toChatMessages} left out at the end of `continueFrom`, where the model sends it again. */
export class ContinuationGap {
  private gap: string;

  constructor(continueFrom = '') {
    this.gap = continueFrom.slice(continueFrom.trimEnd().length);
  }

  /** Returns `text`, the next content of the answer, without what is in the log already. */
  close(text: string): string {
    if (this.gap === '') return text;
    let same = 0;
    while (same < text.length && text[same] === this.gap[same]) same += 1;
    this.gap = same === text.length ? this.gap.slice(same) : '';
    return text.slice(same);
  }
}

/** Joins neighbours of one role, and leaves out answers before the first question. */
function alternate(messages: readonly PromptMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (last === undefined && message.role !== 'user') continue;
    const content = spoken(message);
    if (last?.role === message.role) last.content += SEPARATOR + content;
    else turns.push({ role: message.role, content });
  }
  return turns;
}

function spoken({ role, content, name }: PromptMessage): string {
  return role === 'user' && name !== undefined && !INVISIBLE.test(name)
    ? `${oneLine(name)}: ${content}`
    : content;
}

/** Keeps a name from beginning a line of its own, where it could pass for another speaker. */
function oneLine(name: string): string {
  return name.replace(/\s+/g, ' ').trim();
}
