import { setImmediate } from 'node:timers/promises';
import MiniSearch, { type SearchResult } from 'minisearch';
import { closeness, concepts, weaker, type Concept, type Vocabulary } from './question.js';
import type { DocFile } from './documents.js';
import { toSections, type Block, type Section } from './sections.js';
import { indexTerms, words } from './words.js';

/** A section that answers a question, and what of the question it was found by. */
export interface Finding {
  section: Section;
  /** Comparable within one search only. */
  score: number;
  concepts: readonly Concept[];
}

/** The least share of what a question is about that a section must speak of. */
const MIN_COVERAGE = 0.45;
const MAX_SIMILAR_CHARS = 32;
const SECTIONS_AT_ONCE = 8;
const PREVIOUS_QUESTION = 0.4;
const POINTERS = new Set('it its that this they them those these there he she'.split(' '));

/** Full-text search over sections of documentation. The same question always finds the same. */
export class DocSearch {
  private readonly sections: Section[] = [];
  private readonly frequency = new Map<string, number>();
  private readonly index = new MiniSearch<Section>({
    fields: ['heading', 'trail', 'file', 'blocks'],
    tokenize: indexTerms,
    processTerm: (term) => term,
    stringifyField: (value: string | string[] | Block[] | number) =>
      typeof value === 'number' ? '' : textOf(value),
  });
  private readonly vocabulary: Vocabulary;

  private constructor() {
    const { sections, frequency } = this;
    this.vocabulary = {
      get sections() {
        return sections.length;
      },
      sectionsWith: (term) => frequency.get(term) ?? 0,
      similarTo: (term) => this.similarTo(term),
    };
  }

  /** A search over `files`. Reading them takes a fraction of a second, in small steps that let others go on. */
  static async over(files: readonly DocFile[]): Promise<DocSearch> {
    const search = new DocSearch();
    for (const file of files) {
      for (const section of toSections(file, search.sections.length)) {
        if (section.id % SECTIONS_AT_ONCE === 0) await setImmediate();
        search.add(section);
      }
    }
    return search;
  }

  /** Sections that answer `question`, best first; `previous` is the question before it, for one that only points back. */
  find(question: string, previous = ''): Finding[] {
    const own = concepts(question, this.vocabulary);
    const about = pointsBack(question, own)
      ? [...own, ...concepts(previous, this.vocabulary).map((concept) => weaker(concept, PREVIOUS_QUESTION))]
      : own;
    if (about.length === 0) return [];
    const found = this.search(about).map((result) => this.judge(result, about));
    return found
      .filter((finding) => finding !== undefined)
      .toSorted((a, b) => b.score - a.score || a.section.id - b.section.id);
  }

  private add(section: Section): void {
    this.sections.push(section);
    this.index.add(section);
    const { heading, trail, file, blocks } = section;
    const terms = new Set(indexTerms([heading, ...trail, file, textOf(blocks)].join('\n')));
    for (const term of terms) this.frequency.set(term, (this.frequency.get(term) ?? 0) + 1);
  }

  private search(about: readonly Concept[]): SearchResult[] {
    const boosts = new Map<string, number>();
    for (const { terms, weight } of about) {
      for (const [term, factor] of terms)
        boosts.set(term, Math.max(boosts.get(term) ?? 0, factor * Math.min(1, weight)));
    }
    return this.index.search([...boosts.keys()].join('\n'), {
      tokenize: (text) => text.split('\n'),
      processTerm: (term) => term,
      boost: { heading: 3, trail: 1.5, file: 1 },
      boostTerm: (term) => boosts.get(term) ?? 1,
    });
  }

  private similarTo(term: string): string[] {
    if (term.length < 4 || term.length > MAX_SIMILAR_CHARS) return [];
    const results = this.index.search(term, {
      tokenize: (text) => [text],
      prefix: true,
      fuzzy: term.length >= 5 ? 0.2 : false,
    });
    return [...new Set(results.flatMap(({ terms }) => terms))].filter((similar) => similar[0] === term[0]);
  }

  private judge(result: SearchResult, about: readonly Concept[]): Finding | undefined {
    const section = this.sections[result.id as number];
    if (!section) return undefined;
    const matched = new Set(result.queryTerms);
    const coverage = coverageOf(about, matched);
    if (coverage < MIN_COVERAGE) return undefined;
    const inHeading = coverageOf(about, new Set(indexTerms(section.heading)));
    const score = result.score * coverage ** 2 * (1 + inHeading) * standing(section);
    return { section, score, concepts: about };
  }
}

/** The share of what a question is about that `terms` speak of, from 0 to 1. */
function coverageOf(about: readonly Concept[], terms: ReadonlySet<string>): number {
  let covered = 0;
  let total = 0;
  for (const concept of about) {
    covered += concept.weight * closeness(concept, terms);
    total += concept.weight;
  }
  return covered / total;
}

/** How-to pages answer questions; how and why it is built so comes in where nothing else does. */
function standing({ file, trail }: Section): number {
  if (file.includes('/adr/')) return 0.5;
  if (file.endsWith('architecture.md')) return 0.8;
  return file === 'README.md' && trail.length === 0 ? 1.2 : 1;
}

/** A question that names little itself: nothing at all, or hardly more than “it”. */
function pointsBack(question: string, own: readonly Concept[]): boolean {
  if (own.length === 0) return true;
  return own.length <= 2 && words(question).some(({ whole }) => POINTERS.has(whole));
}

/** A field's text as the index sees it. */
function textOf(value: string | string[] | readonly Block[]): string {
  if (typeof value === 'string') return value;
  return value.map((item) => (typeof item === 'string' ? item : item.text)).join('\n');
}
