import type { LanguageModelV3Prompt } from '@ai-sdk/provider';
import type { PromptMessage, ProviderRequest } from '../provider.js';

/**
 * Our prompt as the client library wants it. Who speaks stands before what they say (`Alice: …`): the protocol's own
 * `name` field allows no spaces, and Ollama, llama.cpp and most chat templates drop it before the model can see it.
 * What is there of an answer that is to be continued stands last, as the assistant's own message.
 */
export function toModelPrompt({
  messages,
  continueFrom,
}: Pick<ProviderRequest, 'messages' | 'continueFrom'>): LanguageModelV3Prompt {
  const begun: PromptMessage[] =
    continueFrom === undefined ? [] : [{ role: 'assistant', content: continueFrom }];
  return [...messages, ...begun].map(({ role, content, name }) => {
    switch (role) {
      case 'system':
        return { role, content };
      case 'assistant':
        return { role, content: [{ type: 'text', text: content }] };
      case 'user':
        return { role, content: [{ type: 'text', text: name ? `${oneLine(name)}: ${content}` : content }] };
    }
  });
}

/** A name cannot begin a line of its own, and so not pass for another speaker. */
function oneLine(name: string): string {
  return name.replace(/\s+/g, ' ').trim();
}
