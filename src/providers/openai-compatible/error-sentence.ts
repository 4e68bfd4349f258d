import { first, isObject } from './json.js';

/** Returns a body that is a sentence instead of JSON; undefined for a page. */
export function sentenceIn(body: string): string | undefined {
  return /^\s*([<{[]|$)/.test(body) ? undefined : body;
}

/** Where servers put the sentence, the most telling first: `error` may be a bare code beside it, `title` a heading. */
const SENTENCE_KEYS =
  'error message Message error_description detail description errors msg reason title'.split(' ');

/** Finds the sentence in a provider's error, wherever that kind of server puts it; in an unknown place, all of its JSON. */
export function sentenceOf(said: unknown): string | undefined {
  const found = knownSentence(said);
  if (found !== undefined || !isObject(said)) return found;
  const json = JSON.stringify(said);
  return json === '{}' ? undefined : json;
}

function knownSentence(said: unknown): string | undefined {
  if (typeof said === 'string') return said.trim() === '' ? undefined : said;
  if (Array.isArray(said)) return knownSentence(first(said));
  if (!isObject(said)) return undefined;
  const sentences = SENTENCE_KEYS.flatMap((key) => knownSentence(said[key]) ?? []);
  const best = sentences.find((text) => !isCode(text)) ?? sentences[0];
  // FastAPI names the field apart.
  const { loc, msg } = said;
  return Array.isArray(loc) && best === msg ? `${loc.join('.')}: ${best}` : best;
}

/** Whether a text is a word for programs, such as `invalid_client`. */
function isCode(text: string): boolean {
  return /^[\w.-]+$/.test(text);
}
