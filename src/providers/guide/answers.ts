import type { PromptMessage } from '../provider.js';
import type { DocSearch, Finding } from './doc-search.js';
import { excerpt } from './excerpt.js';
import type { Section } from './sections.js';
import { words } from './words.js';

const GREETINGS = new Set(
  'hi hello hey hallo hola moin yo hiya howdy greetings good morning afternoon evening day there guide streamgate all everyone'.split(
    ' ',
  ),
);
const THANKS = new Set(
  'thanks thank thx you cheers very much great cool nice perfect ok okay so a lot'.split(' '),
);
const WHO = /^(who|what) (are|r) (you|u)\b|^what can (you|i) (do|ask)|^help( me)?$|^what do you (know|do)/;

const EXAMPLES = [
  'How do I start Streamgate?',
  'How do I connect with Socket.IO?',
  'How do I use my own PostgreSQL?',
  'Can I use Ollama or OpenAI?',
  'How do I get a token?',
  'What happens when the server is killed?',
];

const SEE_ALSO_SHARE = 0.55;

/** The answer to the last question of `messages`, in Markdown. The same prompt and documents give the same text. */
export function answer(search: DocSearch, messages: readonly PromptMessage[]): string {
  const asked = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  const question = asked.at(-1) ?? '';
  switch (kindOf(question)) {
    case 'greeting':
      return introduction(search, 'Hello! ');
    case 'who':
      return introduction(search, '');
    case 'thanks':
      return 'You are welcome. Ask whenever there is something else about Streamgate.';
    case 'question':
      return found(search.find(question, asked.at(-2))) ?? nothingFound(search);
  }
}

function kindOf(question: string): 'greeting' | 'who' | 'thanks' | 'question' {
  const said = words(question).map(({ whole }) => whole);
  if (said.length === 0) return 'who';
  if (WHO.test(said.join(' '))) return 'who';
  if (said.length > 5) return 'question';
  if (said.some((word) => /^(thank|thanks|thx|cheers)$/.test(word)) && said.every((word) => THANKS.has(word)))
    return 'thanks';
  const greets = said.every((word) => GREETINGS.has(word)) && !said.every((word) => word === 'streamgate');
  return greets ? 'greeting' : 'question';
}

function found(findings: readonly Finding[]): string | undefined {
  const [best, ...others] = findings;
  if (!best) return undefined;
  const near = others.filter(({ score }) => score >= best.score * SEE_ALSO_SHARE).slice(0, 2);
  const parts = [
    `Here is what the documentation says under **${best.section.heading}**:`,
    excerpt(best.section.blocks, best.concepts),
    `Source: ${place(best.section)}`,
  ];
  if (near.length > 0) parts.push(`See also: ${near.map(({ section }) => place(section)).join('; ')}`);
  return parts.join('\n\n');
}

function place({ file, heading }: Section): string {
  return `${file}, section “${heading}”`;
}

function introduction(search: DocSearch, greeting: string): string {
  return (
    `${greeting}I am the guide that is built into Streamgate. I answer questions about Streamgate from its own ` +
    `documentation, and name the section that an answer comes from. I am not a language model.\n\n${suggestions(search)}`
  );
}

function nothingFound(search: DocSearch): string {
  return `I know only Streamgate's own documentation, and found nothing in it about this.\n\n${suggestions(search)}`;
}

/** Questions that the documentation at hand really answers. */
function suggestions(search: DocSearch): string {
  const answered = EXAMPLES.filter((example) => search.find(example).length > 0);
  if (answered.length === 0) {
    return 'The documentation is not installed with this server, so there is nothing that I can answer from.';
  }
  return `You can ask me, for example:\n\n${answered.map((example) => `- ${example}`).join('\n')}`;
}
