import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { randomOf } from '../support/random.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { strictRefusal } from '../support/strict-prompt.js';

/** Models that answer, fail before and after their first words, say nothing that is visible, or talk until they are stopped. */
const MODELS = ['words:2', 'status:500', 'error:2', 'cut:1', 'say:\u200b', 'words:2000:5', 'large:2000:30'];
const CONTENTS = ['Why?', '  \n', 'long text '.repeat(1500), '\u200b', 'Another\n\nquestion: yes.'];

let server: TestServer;
let llm: LlmServer;

beforeAll(async () => {
  llm = await startLlmServer();
  const models = MODELS.map((model) => `template:${model}`);
  server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: models[0] ?? '', LLM_MODELS: models.join(',') },
      ...{ PROVIDER_RETRIES: '0', PROVIDER_BREAKER_FAILURES: '1000', STREAM_MAX_PER_USER: '100' },
      ...{ RATE_LIMIT_STREAMS: '1000/60', RATE_LIMIT_EVENTS: '100000/60' },
    },
  });
});
afterAll(async () => {
  await stopCleanly(server);
  await llm.close();
});

test.each([1, 2, 3])(
  'A server with a strict chat template refuses no prompt, whatever happened before (history %i)',
  async (seed) => {
    const random = randomOf(seed);
    const pick = <T>(values: readonly T[]): T => random.sample(values, 1)[0] as T;
    const conversationId = `history-${seed}`;
    const people: TestClient[] = [];
    for (const name of ['alice', 'bob', 'carol']) {
      const client = await TestClient.connect(server.url, `${name}-${seed}`, { name });
      await client.ask('conversation:join', { conversationId, access: 'link' });
      people.push(client);
    }
    for (let step = 0; step < 20; step += 1) {
      const person = seed === 1 ? (people[0] as TestClient) : pick(people);
      const model = pick(MODELS);
      const { streamId } = await person.ask('message:send', {
        ...{ conversationId, clientMessageId: crypto.randomUUID(), content: pick(CONTENTS) },
        ...(random.chance(0.8) ? { model: `template:${model}` } : { respond: false }),
      });
      if (streamId === undefined) continue;
      const heard = (types: readonly string[]) =>
        person.waitFor('stream:chunk', (chunk) => chunk.streamId === streamId && types.includes(chunk.type));
      if (model.startsWith('words:2000')) {
        if (random.chance(0.7)) await heard(['content']);
        await person.ask('stream:cancel', { streamId });
      }
      if (random.chance(0.7)) await heard(['complete', 'error', 'cancelled']);
    }
    const prompts = llm.requests.map(({ body }) => strictRefusal(body.messages));
    expect(prompts.filter((refusal) => refusal !== undefined)).toEqual([]);
    // Gemma 2's template refuses any.
    const roles = llm.requests.flatMap(({ body }) => body.messages.map(({ role }) => role));
    expect(new Set(roles)).toEqual(new Set(['user', 'assistant']));
    const { streamId } = await (people[0] as TestClient).ask('message:send', {
      ...{ conversationId, clientMessageId: 'last', content: 'Well?', model: 'template:words:2' },
    });
    const end = await (people[0] as TestClient).waitFor(
      'stream:chunk',
      (chunk) => chunk.streamId === streamId && ['complete', 'error'].includes(chunk.type),
    );
    expect(end.type).toBe('complete');
    for (const person of people) person.close();
  },
);
