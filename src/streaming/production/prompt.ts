import type { Role } from '../../protocol/index.js';
import type { PromptMessage } from '../../providers/provider.js';

/** What was said up to a question. */
export interface ConversationContext {
  messages: { role: Role; content: string; senderId: string }[];
  /** Names of the members by their ids, null for who has none; null where one person alone has spoken. */
  names: Record<string, string | null> | null;
}

/** The prompt as the provider gets it. Names are given only once two people have spoken. */
export function toPrompt({ messages, names }: ConversationContext): PromptMessage[] {
  const known = new Map(Object.entries(names ?? {}));
  return messages.map(({ role, content, senderId }) => {
    if (role !== 'user' || names === null) return { role, content };
    return { role, content, name: known.get(senderId) ?? senderId };
  });
}

/** UTF-8 bytes of a prompt's text. */
export function promptBytes(prompt: readonly PromptMessage[]): number {
  return prompt.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
}
