import type { PromptMessage, ProviderRequest } from '../provider.js';

/** A message of the chat completions API. */
type ChatMessage = Pick<PromptMessage, 'role' | 'content'>;

/**
 * Our prompt as the protocol wants it. Who speaks stands before what they say (`Alice: …`): the protocol's own
 * `name` field allows no spaces, and Ollama, llama.cpp and most chat templates drop it before the model can see it.
 * What is there of an answer that is to be continued stands last, as the assistant's own message.
 */
export function toChatMessages({
  messages,
  continueFrom,
}: Pick<ProviderRequest, 'messages' | 'continueFrom'>): ChatMessage[] {
  const said = messages.map(({ role, content, name }) => ({
    role,
    content: role === 'user' && name ? `${oneLine(name)}: ${content}` : content,
  }));
  return continueFrom === undefined ? said : [...said, { role: 'assistant', content: continueFrom }];
}

/** A name cannot begin a line of its own, and so not pass for another speaker. */
function oneLine(name: string): string {
  return name.replace(/\s+/g, ' ').trim();
}
