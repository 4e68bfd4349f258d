import type { PromptMessage } from '../provider.js';
import type { DocSearch, Finding } from './doc-search.js';
import { excerpt } from './excerpt.js';
import type { Section } from './sections.js';
import { wordsOf } from './words.js';

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

/** From this coverage on a section is taken for the answer. */
const SURE = 0.55;
/** From this coverage on a section is worth a link. */
const NEAR = 0.25;
/** A further section is worth a link from this share of the best one's coverage on. */
const SEE_ALSO_SHARE = 0.6;

/** Answers the last question of `messages`, in Markdown. The same prompt and documents give the same text. */
export function answer(search: DocSearch, messages: readonly PromptMessage[]): string {
  const questions = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  const question = questions.at(-1) ?? '';
  switch (kindOf(question)) {
    case 'greeting':
      return introduction(search, 'Hello! ');
    case 'who':
      return introduction(search, '');
    case 'thanks':
      return 'You are welcome. Ask whenever there is something else about Streamgate.';
    case 'question':
      return fromDocs(search, search.find(question, questions.at(-2)));
  }
}

function kindOf(question: string): 'greeting' | 'who' | 'thanks' | 'question' {
  const words = wordsOf(question).map((word) => word.toLowerCase());
  if (words.length === 0 || WHO.test(words.join(' '))) return 'who';
  if (words.length > 5) return 'question';
  const thanks = words.some((word) => /^(thank|thanks|thx|cheers)$/.test(word));
  if (thanks && words.every((word) => THANKS.has(word))) return 'thanks';
  const greets = words.every((word) => GREETINGS.has(word)) && !words.every((word) => word === 'streamgate');
  return greets ? 'greeting' : 'question';
}

function fromDocs(search: DocSearch, findings: readonly Finding[]): string {
  const [best, ...others] = findings;
  if (!best || best.coverage < NEAR) return nothingFound(search);
  if (best.coverage < SURE) return unsure(findings);
  const also = others.filter(({ coverage }) => coverage >= best.coverage * SEE_ALSO_SHARE).slice(0, 2);
  const parts = [
    `Here is what the documentation says under **${best.section.heading}**:`,
    excerpt(best.section.blocks, best.concepts),
    `Source: ${place(best.section)}`,
  ];
  if (also.length > 0) parts.push(`See also: ${also.map(({ section }) => place(section)).join('; ')}`);
  return parts.join('\n\n');
}

function unsure(findings: readonly Finding[]): string {
  const links = findings.filter(({ coverage }) => coverage >= NEAR).slice(0, 3);
  return (
    'I found no section of the documentation that clearly answers this. The nearest may help:\n\n' +
    links.map(({ section }) => `- ${place(section)}`).join('\n')
  );
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

/** Suggests questions that the documentation at hand answers. */
function suggestions(search: DocSearch): string {
  const answered = EXAMPLES.filter((example) => (search.find(example)[0]?.coverage ?? 0) >= SURE);
  if (answered.length === 0) {
    return 'The documentation is not installed with this server, so there is nothing that I can answer from.';
  }
  return `You can ask me, for example:\n\n${answered.map((example) => `- ${example}`).join('\n')}`;
}
