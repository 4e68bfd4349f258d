/** Load that talks to the provider itself, without any server between: what `ttft` compares with. */
import { nowMs } from '../harness/clock.js';
import { serve } from '../harness/rpc.js';

interface Direct {
  baseUrl: string;
  model: string;
}

/** Milliseconds from the request to the first bytes of the answer; reads it to its end. */
async function firstToken({ baseUrl, model }: Direct): Promise<number> {
  const askedAt = nowMs();
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'a question' }] }),
  });
  if (!response.body) throw new Error('the provider gave no answer');
  const reader = response.body.getReader();
  await reader.read();
  const firstMs = nowMs() - askedAt;
  for (let part = await reader.read(); !part.done; part = await reader.read());
  return firstMs;
}

serve({ firstToken });
