import type { LanguageModelV3Prompt } from '@ai-sdk/provider';
import type { PromptMessage } from '../provider.js';

/**
 * Our prompt as the client library wants it. Who speaks stands before what they say (`Alice: …`): the protocol's own
 * `name` field allows no spaces, and Ollama, llama.cpp and most chat templates drop it before the model can see it.
 */
export function toModelPrompt(messages: readonly PromptMessage[]): LanguageModelV3Prompt {
  return messages.map(({ role, content, name }) => {
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
