import { describe, expect, it } from 'vitest';
import { GuideProvider } from '../../src/providers/guide.provider.js';

const guide = new GuideProvider({ wordsPerSecond: 0 });

async function ask(content: string): Promise<string> {
  const { signal } = new AbortController();
  let text = '';
  for await (const delta of guide.stream({ model: 'guide', messages: [{ role: 'user', content }], signal })) {
    if (delta.type === 'content') text += delta.text;
  }
  return text;
}

describe("the guide over the project's own documentation", () => {
  it.each([
    ['How do I use my own PostgreSQL?', /own PostgreSQL/, /DATABASE_URL/],
    ['How do I connect with Socket.IO?', /Socket\.IO/, /io\(/],
    ['Can I use Ollama?', /Ollama|model/, /LLM_BASE_URL/],
    ['how do I get a token', /[Tt]oken/, /token -- --sub|\/api\/auth\/guest/],
    ['what happens when the server is killed', /killed/, /lost/],
    ['What is Streamgate?', /^Streamgate/, /real-time backend/],
    ['how do I stop an answer?', /[Ss]top|[Cc]ancel/, /stream:cancel/],
    ['what if the page is reloaded in the middle of an answer', /reload/, /./],
    ['How can I share a conversation?', /Let others|Share|access/, /./],
    ['how do I change the port', /port/, /PORT/],
    ['does it run behind nginx', /nginx/, /proxy_/],
    ['back up the database', /Back/, /./],
    ['What is STREAM_CHUNK_BYTES?', /./, /STREAM_CHUNK_BYTES/],
  ])('%s', async (question, section, content) => {
    const text = await ask(question);
    const [, file, heading] = /^Source: (\S+), section “(.+)”$/m.exec(text) ?? [];
    expect(file).toMatch(/^(README|docs\/.+)\.md$/);
    expect(heading).toMatch(section);
    expect(text).toMatch(content);
  });

  it.each([
    'What is the weather in Paris?',
    'Tell me a joke',
    'How do I bake bread?',
    'Who won the world cup?',
  ])('has nothing about other things: %s', async (question) => {
    expect(await ask(question)).toContain('found nothing in it about this');
  });

  it('answers all that it suggests', async () => {
    const suggested = (await ask('hello'))
      .split('\n')
      .flatMap((line) => (line.startsWith('- ') ? [line.slice(2)] : []));
    expect(suggested).toHaveLength(6);
    for (const question of suggested) expect(await ask(question)).toContain('Source: ');
  });
});
