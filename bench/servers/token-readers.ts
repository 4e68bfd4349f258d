import { createOpenAICompatible } from '@ai-sdk/openai-compatible';

const { LLM_BASE_URL: baseURL = '', READER = 'library' } = process.env;
const client = createOpenAICompatible({ name: 'bench', baseURL });

/**
 * The provider's tokens, one by one: by a common client library, or (`READER=fetch`) by `fetch` and a
 * line reader, which is about the least that can be done.
 */
export function readTokens(question: string, model: string, signal: AbortSignal): AsyncIterable<string> {
  return READER === 'fetch' ? byFetch(question, model, signal) : byLibrary(question, model, signal);
}

async function* byLibrary(question: string, model: string, abortSignal: AbortSignal) {
  const { stream } = await client.chatModel(model).doStream({
    prompt: [{ role: 'user', content: [{ type: 'text', text: question }] }],
    abortSignal,
  });
  for await (const part of stream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'text-delta') yield part.delta;
  }
}

interface Event {
  choices: { delta: { content?: string } }[];
}

async function* byFetch(question: string, model: string, signal: AbortSignal) {
  const response = await fetch(`${baseURL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: question }] }),
    signal,
  });
  if (!response.ok || !response.body) throw new Error(`the provider answered ${response.status}`);
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue;
      const token = (JSON.parse(line.slice(6)) as Event).choices[0]?.delta.content;
      if (token) yield token;
    }
  }
}
