import { isStopWord, joinPhrases, synonymsOf, words } from './words.js';

/** One thing that a question is about: the terms that stand for it, each with how well (0 to 1), and how telling it is. */
export interface Concept {
  terms: ReadonlyMap<string, number>;
  weight: number;
}

/** What is known of the documentation's vocabulary. */
export interface Vocabulary {
  /** In how many sections a term stands; 0 for one that is unknown. */
  sectionsWith(term: string): number;
  /** Known terms that begin like `term`, which is unknown, or differ by a letter. */
  similarTo(term: string): string[];
  readonly sections: number;
}

const MAX_CONCEPTS = 24;
const SYNONYM = 0.7;
const SIMILAR = 0.6;

/** What `question` is about; empty where it names nothing. Words beyond the first 24 are not looked at. */
export function concepts(question: string, vocabulary: Vocabulary): Concept[] {
  const found = new Map<string, Concept>();
  for (const { whole, parts } of words(joinPhrases(question))) {
    if (isStopWord(whole) || /^\d{1,2}$/.test(whole)) continue;
    // A name such as DATABASE_URL means itself, not its parts; they stand in for one that is unknown.
    const known = parts.length > 1 && vocabulary.sectionsWith(whole) > 0;
    const heads = known ? [whole] : parts.filter((part) => !isStopWord(part));
    for (const head of heads) {
      if (found.size < MAX_CONCEPTS) found.set(head, concept(head, vocabulary));
    }
  }
  return [...found.values()];
}

/** `concept` with its weight multiplied by `factor`. */
export function weaker(concept: Concept, factor: number): Concept {
  return { ...concept, weight: concept.weight * factor };
}

/** How well `terms` speak of `concept`: from 0 to 1. */
export function closeness({ terms }: Concept, present: ReadonlySet<string>): number {
  let best = 0;
  for (const [term, factor] of terms) if (factor > best && present.has(term)) best = factor;
  return best;
}

function concept(head: string, vocabulary: Vocabulary): Concept {
  const isKnown = (term: string): boolean => vocabulary.sectionsWith(term) > 0;
  const terms = new Map<string, number>();
  for (const synonym of synonymsOf(head).filter(isKnown)) terms.set(synonym, SYNONYM);
  if (isKnown(head)) terms.set(head, 1);
  else if (terms.size === 0) for (const similar of vocabulary.similarTo(head)) terms.set(similar, SIMILAR);
  return { terms, weight: rarity(isKnown(head) ? [head] : [...terms.keys()], vocabulary) };
}

/** Inverse document frequency (as in BM25) of the most frequent of `terms`. Where there are none, that of a rare term. */
function rarity(terms: readonly string[], vocabulary: Vocabulary): number {
  const frequency = Math.max(1, ...terms.map((term) => vocabulary.sectionsWith(term)));
  return Math.log(1 + (vocabulary.sections - frequency + 0.5) / (frequency + 0.5));
}
