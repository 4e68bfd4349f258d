import { describe, expect, it } from 'vitest';
import { GuideProvider } from '../../src/providers/guide.provider.js';
import { GUIDE_QUESTIONS } from '../support/guide-questions.js';

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

  it('answers nine of ten questions of newcomers, and none wrongly with confidence', async () => {
    const wrong: string[] = [];
    const unanswered: string[] = [];
    for (const [question, heading] of GUIDE_QUESTIONS) {
      const found = /^Source: \S+, section “(.+)”$/m.exec(await ask(question))?.[1];
      const isRight = heading === 'no answer' ? found === undefined : heading.test(found ?? '');
      if (!isRight) (found === undefined ? unanswered : wrong).push(`${question} → ${found}`);
    }
    expect(wrong).toEqual([]);
    expect(GUIDE_QUESTIONS.length).toBeGreaterThanOrEqual(60);
    expect(unanswered.length, unanswered.join('\n')).toBeLessThanOrEqual(GUIDE_QUESTIONS.length / 10);
  });

  it('names the nearest sections where none clearly answers', async () => {
    const text = await ask('what happens if postgres goes down');
    expect(text).toContain('no section of the documentation that clearly answers this');
    expect(text.match(/^- \S+\.md, section “.+”$/gm)?.length).toBeGreaterThanOrEqual(2);
    expect(text).not.toContain('Source:');
  });

  it('takes neither decisions nor tables of tests for answers', async () => {
    for (const question of [
      'Why no foreign keys on hot tables?',
      'slow-loris attack',
      'What attacks are defended?',
    ]) {
      const text = await ask(question);
      expect(text).not.toContain('docs/adr/');
      expect(text).not.toContain('Attacks, defences');
    }
  });
});
