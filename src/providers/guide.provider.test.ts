import { describe, expect, it } from 'vitest';
import { DomainError } from '../common/domain-error.js';
import { GuideProvider } from './guide.provider.js';
import type { DocFile } from './guide/documents.js';
import type { PromptMessage } from './provider.js';

const LONG_TABLE = Array.from({ length: 40 }, (_, row) => `| \`OTHER_${row}\` | about something else |`).join(
  '\n',
);

const DOCS: DocFile[] = [
  {
    file: 'README.md',
    markdown: `# Streamgate

Streamgate is a real-time backend for AI chat.

## Start the server

Type \`npm start\`. More is in [operations](docs/operations.md#start).
`,
  },
  {
    file: 'docs/operations.md',
    markdown: `# Operations

## Databases

### Use your own PostgreSQL

Set \`DATABASE_URL\`:

\`\`\`sh
# not a heading
DATABASE_URL=postgres://user:secret@host/db npm start
\`\`\`

### Back up

Run pg_dump every night.

## Choose a model

Ollama and OpenAI speak the same protocol. Set \`LLM_BASE_URL\`.

## Variables

All of them:

| variable | meaning |
| --- | --- |
${LONG_TABLE}
| \`STREAM_CHUNK_BYTES\` | Size of a chunk. |
`,
  },
  {
    file: 'docs/clients.md',
    markdown: `# Clients

## Survive a reload

Join again with \`afterSeq\`; the answer goes on.

## Long story

${Array.from({ length: 30 }, (_, index) => `Paragraph ${index} speaks of nothing in particular, at some length, again and again.`).join('\n\n')}

The zebra stands at the very end.
`,
  },
];

const { signal } = new AbortController();

function guide(wordsPerSecond = 0, docs: readonly DocFile[] = DOCS): GuideProvider {
  return new GuideProvider({ wordsPerSecond, readDocs: () => Promise.resolve(docs) });
}

async function ask(question: string, before: PromptMessage[] = [], provider = guide()): Promise<string> {
  const messages: PromptMessage[] = [...before, { role: 'user', content: question }];
  let text = '';
  for await (const delta of provider.stream({ model: 'guide', messages, signal })) {
    if (delta.type !== 'finish') text += delta.text;
  }
  return text;
}

describe('what the guide answers', () => {
  it('is the text of the section that fits, with its source', async () => {
    const text = await ask('How do I use my own PostgreSQL?');
    expect(text).toContain('DATABASE_URL=postgres://user:secret@host/db npm start');
    expect(text).toContain('Source: docs/operations.md, section “Use your own PostgreSQL”');
  });

  it.each([
    ['Can I have it in postgres?', 'Use your own PostgreSQL'],
    ['where does DATABASE_URL go', 'Use your own PostgreSQL'],
    ['may I use ollama', 'Choose a model'],
    ['does it work with claude', 'Choose a model'],
    ['what if somebody refreshes the browser', 'Survive a reload'],
    ['what happens when I am reloading?', 'Survive a reload'],
    ['how do I back it up', 'Back up'],
    ['postgre', 'Use your own PostgreSQL'],
    ['Ollamma', 'Choose a model'],
    ['postgresqk', 'Use your own PostgreSQL'],
    ['How do I install it?', 'Start the server'],
    ['What is Streamgate?', 'Streamgate'],
    ['What is afterSeq for?', 'Survive a reload'],
  ])('finds everyday wordings: %s', async (question, section) => {
    expect(await ask(question)).toContain(`section “${section}”`);
  });

  it('takes a comment in a code block for no heading', async () => {
    expect(await ask('How do I use my own PostgreSQL?')).toContain('# not a heading');
  });

  it('turns links within the documentation into their text', async () => {
    expect(await ask('How do I start the server?')).toContain('More is in operations.');
  });

  it('picks the row of a table that was asked for, under its head', async () => {
    const text = await ask('What is STREAM_CHUNK_BYTES?');
    expect(text).toContain(
      '| variable | meaning |\n| --- | --- |\n| `STREAM_CHUNK_BYTES` | Size of a chunk. |',
    );
    expect(text).not.toContain('OTHER_1');
  });

  it('picks the part of a long section that speaks of the question', async () => {
    const text = await ask('Where in the long story is the zebra?');
    expect(text).toContain('The zebra stands at the very end.');
    expect(text.length).toBeLessThan(1600);
  });

  it('takes the question before to understand a short one', async () => {
    const before: PromptMessage[] = [
      { role: 'user', content: 'How do I use my own PostgreSQL?' },
      { role: 'assistant', content: 'So and so.' },
    ];
    expect(await ask('Why is that?', before)).toContain('Use your own PostgreSQL');
    expect(await ask('What about Ollama?', before)).toContain('section “Choose a model”');
  });

  it.each([
    'What is the weather in Paris?',
    'Who won the world cup?',
    'Write me a poem about the sea',
    'What is 2+2?',
    'Как дела?',
  ])('says so when the documentation has nothing: %s', async (question) => {
    const text = await ask(question);
    expect(text).toContain("I know only Streamgate's own documentation, and found nothing in it about this.");
    expect(text).toContain('- How do I use my own PostgreSQL?');
    expect(text).not.toContain('Source:');
  });

  it.each(['Hi!', 'Hello there', 'good morning', '👋', 'Who are you?', 'help'])(
    'introduces itself: %s',
    async (greeting) => {
      expect(await ask(greeting)).toContain('I am the guide that is built into Streamgate.');
    },
  );

  it('says so when no section clearly answers, and names the nearest', async () => {
    const text = await ask('zebra');
    expect(text).toContain('I found no section of the documentation that clearly answers this.');
    expect(text).toContain('- docs/clients.md, section “Long story”');
    expect(text).not.toContain('Source:');
  });

  it.each(['reach', 'pork', 'modle'])('takes no short word for a similar one: %s', async (word) => {
    expect(await ask(`What is a ${word}?`)).not.toContain('Source:');
  });

  it('suggests only what it can answer, and says when there is no documentation', async () => {
    expect(await ask('hello')).not.toContain('Socket.IO');
    expect(await ask('How do I start?', [], guide(0, []))).toContain('The documentation is not installed');
  });

  it('P11: is quick about a question that is long and odd', async () => {
    await ask('./-:_'.repeat(3200));
    await ask('x'.repeat(16_000));
    await ask(Array.from({ length: 400 }, (_, index) => `abcdefghijklmnopqrstuvwxyz${index}`).join(' '));
    // Within the deadline of the test: quadratic work would take minutes.
  }, 5000);
});

describe('how the guide answers', () => {
  it('word by word, the same every time, with no usage', async () => {
    const run = async (): Promise<string[]> => {
      const words: string[] = [];
      const messages: PromptMessage[] = [{ role: 'user', content: 'Which model may I choose?' }];
      for await (const delta of guide().stream({ model: 'guide', messages, signal })) {
        words.push(delta.type === 'finish' ? `usage ${JSON.stringify(delta.usage)}` : delta.text);
      }
      return words;
    };
    const words = await run();
    expect(await run()).toEqual(words);
    expect(words.length).toBeGreaterThan(15);
    expect(words.slice(0, 3)).toEqual(['Here ', 'is ', 'what ']);
    expect(words.at(-1)).toBe('usage null');
  });

  it('continues right after the text that is in the log already', async () => {
    const whole = await ask('ollama');
    for (const length of [0, 1, 40, whole.length]) {
      const messages: PromptMessage[] = [{ role: 'user', content: 'ollama' }];
      let rest = '';
      const request = { model: 'guide', messages, signal, continueFrom: whole.slice(0, length) };
      for await (const delta of guide().stream(request)) rest += delta.type === 'finish' ? '' : delta.text;
      expect(rest).toBe(whole.slice(length));
    }
  });

  it('refuses to continue another text', async () => {
    const messages: PromptMessage[] = [{ role: 'user', content: 'ollama' }];
    const deltas = guide().stream({ model: 'guide', messages, signal, continueFrom: 'Something else' });
    await expect(deltas.next()).rejects.toMatchObject({ code: 'provider_error' });
  });

  it('at its pace, and ends at once when it is aborted', async () => {
    const abort = new AbortController();
    const messages: PromptMessage[] = [{ role: 'user', content: 'ollama' }];
    const deltas = guide(1).stream({ model: 'guide', messages, signal: abort.signal });
    await deltas.next();
    const started = performance.now();
    const second = deltas.next();
    setTimeout(() => abort.abort('a reason of its own'), 50);
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - started).toBeGreaterThan(40);
    expect(performance.now() - started).toBeLessThan(500);
  });

  it('does not flood a reader that paused', async () => {
    const messages: PromptMessage[] = [{ role: 'user', content: 'ollama' }];
    const deltas = guide(50).stream({ model: 'guide', messages, signal });
    await deltas.next();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const started = performance.now();
    for (let read = 0; read < 15; read += 1) await deltas.next();
    // 15 words at 50 a second are 300 ms, of which at most 100 are caught up.
    expect(performance.now() - started).toBeGreaterThan(150);
    await deltas.return();
  });

  it('reads its documentation once, and again after a failure', async () => {
    let reads = 0;
    const provider = new GuideProvider({
      wordsPerSecond: 0,
      readDocs: () => {
        reads += 1;
        return reads === 1 ? Promise.reject(new Error('EIO')) : Promise.resolve(DOCS);
      },
    });
    await expect(ask('ollama', [], provider)).rejects.toBeInstanceOf(DomainError);
    await ask('ollama', [], provider);
    await ask('postgres', [], provider);
    expect(reads).toBe(2);
  });
});
