import { setImmediate } from 'node:timers/promises';
import MiniSearch, { type SearchOptions } from 'minisearch';
import type { DocFile } from './documents.js';
import { toSections, type Block, type Section } from './sections.js';
import { contentWords, isStopWord, synonymsOf, termsOf, wordsOf } from './words.js';

/** One thing that a question is about. */
export interface Concept {
  /** The terms that stand for it, each with how close it comes, from 0 to 1. */
  terms: ReadonlyMap<string, number>;
  /** Importance of the word: rare words weigh more. */
  weight: number;
}

/** A section that speaks of a question. */
export interface Finding {
  section: Section;
  /** How much of the question the section covers, from 0 to about 1. Comparable between questions. */
  coverage: number;
  concepts: readonly Concept[];
}

const SECTIONS_PER_TURN = 8;
const MAX_CONCEPTS = 24;
const MAX_TERM_CHARS = 32;
const SYNONYM = 0.75;
const SIMILAR = 0.8;
/** Weight of an unknown word, as a multiple of the most telling one's. */
const UNKNOWN = 1.2;
/** Bonus for a heading whose words, stop words included, are all in the question. */
const SAME_WORDS = 0.15;
/** How much a word counts in a section without it in the heading. Names such as DATABASE_URL count in full. */
const BODY_ONLY = 0.45;
const PREVIOUS_QUESTION = 0.4;
const POINTERS = new Set('it its that this they them those these there he she'.split(' '));

const EXACT: SearchOptions = {
  tokenize: (term) => [term],
  processTerm: (term) => term,
  boost: { heading: 4, trail: 1.5 },
  bm25: { k: 1.2, b: 0.25, d: 0.5 },
};
/** Short words have too many neighbours: "react" is not "reach". */
const LIKE: SearchOptions = {
  ...EXACT,
  prefix: (term) => term.length >= 5,
  fuzzy: (term) => term.length >= 6 && 0.15,
};

/** Full-text search over the sections of the documentation. The same question always has the same result. */
export class DocSearch {
  private readonly sections: Section[] = [];
  private readonly index = new MiniSearch<Section>({
    fields: ['heading', 'trail', 'blocks'],
    tokenize: wordsOf,
    processTerm: termsOf,
    stringifyField: (value: string | string[] | Block[] | number) =>
      typeof value === 'number' ? '' : textOf(value),
  });

  private constructor() {}

  /** Indexes `files`. This takes a fraction of a second, in small steps that let other work go on. */
  static async over(files: readonly DocFile[]): Promise<DocSearch> {
    const search = new DocSearch();
    for (const file of files) {
      for (const section of toSections(file, search.sections.length)) {
        if (section.id % SECTIONS_PER_TURN === 0) await setImmediate();
        search.sections.push(section);
        if (isAnswer(section)) search.index.add(section);
      }
    }
    return search;
  }

  /** Returns the sections that speak of `question`, best first. `previous` is the question before it, for one that only points back. */
  find(question: string, previous = ''): Finding[] {
    const own = this.conceptsOf(question);
    const earlier = pointsBack(question, own) ? this.conceptsOf(previous, PREVIOUS_QUESTION) : [];
    const concepts = [...own, ...earlier];
    // A word that is nowhere in the documentation may be what the question is about.
    const most = Math.max(0, ...concepts.map(({ weight }) => weight));
    const total = concepts.reduce((sum, { weight }) => sum + (weight || most * UNKNOWN), 0);
    const asked = new Set(wordsOf(question.toLowerCase()));
    const covered = new Map<number, number>();
    for (const { shares, weight } of concepts) {
      for (const [id, share] of shares) covered.set(id, (covered.get(id) ?? 0) + weight * share);
    }
    const findings: Finding[] = [];
    for (const [id, score] of covered) {
      const section = this.sections[id];
      if (!section) continue;
      const bonus = 1 + SAME_WORDS * overlap(section.heading, asked);
      findings.push({ section, coverage: (score / total) * trust(section) * bonus, concepts });
    }
    return findings.toSorted((a, b) => b.coverage - a.coverage || a.section.id - b.section.id);
  }

  private conceptsOf(question: string, factor = 1): ScoredConcept[] {
    const heads = new Set<string>();
    for (const word of contentWords(question)) {
      const [whole, ...parts] = termsOf(word.slice(0, 4 * MAX_TERM_CHARS));
      // A name such as DATABASE_URL means itself. Its parts stand in for one that is unknown.
      if (parts.length === 0 || this.isKnown(whole) || synonymsOf(whole).length > 0) heads.add(whole);
      else for (const part of parts) if (!isStopWord(part)) heads.add(part);
      if (heads.size >= MAX_CONCEPTS) break;
    }
    return Array.from(heads, (head) => this.concept(head, factor));
  }

  private concept(head: string, factor: number): ScoredConcept {
    const exact = this.hits(head, 1);
    const hits = [...exact, ...synonymsOf(head).flatMap((synonym) => this.hits(synonym, SYNONYM))];
    if (hits.length === 0 && head.length <= MAX_TERM_CHARS) hits.push(...this.hits(head, SIMILAR, LIKE));
    const best = Math.max(0, ...(exact.length > 0 ? exact : hits).map(({ score }) => score));
    const terms = new Map<string, number>();
    const shares = new Map<number, number>();
    for (const { id, score, closeness, found, isHeading } of hits) {
      const share = Math.min(1, score / best) * closeness * (isHeading || isName(head) ? 1 : BODY_ONLY);
      shares.set(id, Math.max(shares.get(id) ?? 0, share));
      for (const term of found) terms.set(term, Math.max(terms.get(term) ?? 0, closeness));
    }
    const sections = new Set((exact.length > 0 ? exact : hits).map(({ id }) => id)).size;
    const weight = sections === 0 ? 0 : Math.log(1 + this.sections.length / sections);
    return { terms, shares, weight: factor * weight };
  }

  private hits(term: string, closeness: number, options: SearchOptions = EXACT): Hit[] {
    return this.index.search(term, options).map(({ id, score, terms, match }) => ({
      id: id as number,
      score,
      closeness,
      found: terms,
      isHeading: Object.values(match)
        .flat()
        .some((field) => field !== 'blocks'),
    }));
  }

  private isKnown(term: string): boolean {
    return this.index.search(term, EXACT).length > 0;
  }
}

interface Hit {
  /** Of the section. */
  id: number;
  score: number;
  closeness: number;
  isHeading: boolean;
  /** Terms that were found. */
  found: readonly string[];
}

interface ScoredConcept extends Concept {
  /** How much each section says of it, from 0 to 1, by the section's id. */
  shares: ReadonlyMap<number, number>;
}

/** Whether a section can answer a question. Decisions and lists of tests mention everything and explain nothing. */
function isAnswer({ file, blocks }: Section): boolean {
  const aboutTests = ({ head = '', text }: Block) => /\btests?\b/i.test(head) || text.includes('.test.ts` ›');
  return !file.includes('/adr/') && !blocks.some(aboutTests);
}

/** Pages about how Streamgate is built, and the reference, come after those that say how to do something. */
function trust({ file, heading, trail }: Section): number {
  if (/^[\d.]+ \w+:\w+$/.test(heading)) return 0.55;
  if (/\/(architecture|benchmarks)\.md$/.test(file)) return 0.6;
  if (/\/(protocol|security|configuration)\.md$/.test(file)) return 0.85;
  return file === 'README.md' && trail.length === 0 ? 1.1 : 1;
}

/** Whether a term is a compound such as `database_url` or `message:send`. */
function isName(term: string): boolean {
  return !/^\p{L}+$/u.test(term);
}

/** Returns the share of a heading's words that are in the question, from 0 to 1. */
function overlap(heading: string, asked: ReadonlySet<string>): number {
  const words = wordsOf(heading.toLowerCase());
  return words.filter((word) => asked.has(word)).length / Math.max(1, words.length);
}

/** Whether a question names little itself: nothing at all, or hardly more than "it". */
function pointsBack(question: string, own: readonly Concept[]): boolean {
  if (own.length === 0) return true;
  return own.length <= 2 && wordsOf(question).some((word) => POINTERS.has(word.toLowerCase()));
}

function textOf(value: string | string[] | readonly Block[]): string {
  if (typeof value === 'string') return value;
  return value.map((item) => (typeof item === 'string' ? item : item.text)).join('\n');
}
