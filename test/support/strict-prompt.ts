interface ChatMessage {
  role: string;
  content: unknown;
}

/**
 * Returns the sentence with which a strict server refuses these messages, or undefined. The rules are those of:
 * - the chat templates of Mistral, Gemma 2 and 3 and Llama 2, as vLLM, llama.cpp and TGI run them: roles alternate, beginning
 *   with the user, after at most one system message
 * - Anthropic: no empty content, no content of whitespace alone, no whitespace at the end of a last assistant message
 * - Gemini: the last turn is the user's; Cohere: no empty message
 * - servers that refuse fields that they do not know, such as Mistral's and Azure's
 */
export function strictRefusal(messages: readonly ChatMessage[], isContinuation = false): string | undefined {
  const turns = messages[0]?.role === 'system' ? messages.slice(1) : messages;
  if (turns.length === 0) return 'contents are required';
  return (
    messages.map((message, index) => faultOf(message, index)).find((fault) => fault !== undefined) ??
    faultOfRoles(turns, isContinuation)
  );
}

function faultOf(message: ChatMessage, index: number): string | undefined {
  const extra = Object.keys(message).filter((key) => key !== 'role' && key !== 'content');
  if (extra.length > 0) return `Extra inputs are not permitted: messages.${index}.${extra.join()}`;
  const { content } = message;
  if (typeof content !== 'string') return 'Only string content is supported!';
  if (content === '') return `messages.${index}: all messages must have non-empty content`;
  if (/^[\s\p{Cc}]*$/u.test(content)) {
    return 'messages: text content blocks must contain non-whitespace text';
  }
  return content.isWellFormed() ? undefined : 'surrogates not allowed';
}

function faultOfRoles(turns: readonly ChatMessage[], isContinuation: boolean): string | undefined {
  if (turns.some(({ role }) => role !== 'user' && role !== 'assistant')) {
    return 'Only user and assistant roles are supported, with the exception of an initial optional system message!';
  }
  if (turns.some(({ role }, index) => (role === 'user') !== (index % 2 === 0))) {
    return 'After the optional system message, conversation roles must alternate user/assistant/user/assistant/...';
  }
  const last = turns.at(-1);
  if (last?.role === 'user') return undefined;
  if (!isContinuation) return 'Please ensure that the last message is from the user.';
  return /\s$/.test(String(last?.content))
    ? 'messages: final assistant content cannot end with trailing whitespace'
    : undefined;
}
