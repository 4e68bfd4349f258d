import type { Concept } from './doc-search.js';
import type { Block } from './sections.js';
import { termsOf, wordsOf } from './words.js';

const MAX_CHARS = 1200;
const MAX_INTRODUCTION_CHARS = 400;

/**
 * Picks the part of a section that speaks most of the question: whole blocks, about 1200 characters, with the sentence
 * that introduces them. Of a table it takes the rows that match, if some do.
 */
export function excerpt(blocks: readonly Block[], about: readonly Concept[]): string {
  const valued = matchingRows(blocks.map((block) => ({ block, value: valueOf(block, about) })));
  let best = { start: 0, end: 0, value: -1 };
  for (let start = 0; start < valued.length; start += 1) {
    const window = windowFrom(valued, start);
    // Later text must be clearly better than earlier text, since that explains it.
    if (window.value > best.value * 1.1) best = window;
  }
  const chosen = valued.slice(best.start, best.end).map(({ block }) => block);
  return render([...introduction(valued, best.start), ...chosen]);
}

interface Valued {
  block: Block;
  value: number;
}

function valueOf({ text, head = '' }: Block, about: readonly Concept[]): number {
  const [terms, headTerms] = [text, head].map((part) => new Set(wordsOf(part).flatMap(termsOf)));
  let value = 0;
  for (const concept of about) {
    value += concept.weight * Math.max(closeness(concept, terms), closeness(concept, headTerms) / 4);
  }
  return value;
}

/** Returns how close `present` terms come to a concept, from 0 to 1. */
function closeness({ terms }: Concept, present: ReadonlySet<string> = new Set()): number {
  let best = 0;
  for (const [term, factor] of terms) if (factor > best && present.has(term)) best = factor;
  return best;
}

/** Drops the rows of a table that say clearly less about the question than its best row. */
function matchingRows(valued: readonly Valued[]): Valued[] {
  const best = new Map<number, number>();
  for (const { block, value } of valued) {
    if (block.kind === 'row') best.set(block.group, Math.max(best.get(block.group) ?? 0, value));
  }
  return valued.filter(
    ({ block, value }) => block.kind !== 'row' || value >= (best.get(block.group) ?? 0) * 0.6,
  );
}

/** Takes as many blocks from `start` as fit, at least one. Each further block counts less. */
function windowFrom(valued: readonly Valued[], start: number): { start: number; end: number; value: number } {
  let chars = 0;
  let value = 0;
  let end = start;
  for (; end < valued.length; end += 1) {
    const next = valued[end];
    if (!next || (end > start && chars + next.block.text.length > MAX_CHARS)) break;
    chars += next.block.text.length + 1;
    value += next.value * 0.7 ** (end - start);
  }
  return { start, end, value };
}

/** Returns the text before a list, table or code block, which introduces it. */
function introduction(valued: readonly Valued[], start: number): Block[] {
  const first = valued[start]?.block;
  if (!first || first.kind === 'text') return [];
  const before = valued.slice(0, start).findLast(({ block }) => block.group !== first.group)?.block;
  return before?.kind === 'text' && before.text.length <= MAX_INTRODUCTION_CHARS ? [before] : [];
}

function render(blocks: readonly Block[]): string {
  let text = '';
  let previous: Block | undefined;
  for (const block of blocks) {
    const together = previous?.group === block.group && previous.kind === block.kind;
    if (previous) text += together ? '\n' : '\n\n';
    if (block.head !== undefined && !together) text += `${block.head}\n`;
    text += shortened(block);
    previous = block;
  }
  return text;
}

/** Cuts a block that alone is much too long at the end of a line. */
function shortened({ kind, text }: Block): string {
  if (text.length <= 2 * MAX_CHARS) return text;
  const cut = text.slice(
    0,
    text.lastIndexOf('\n', MAX_CHARS) > 0 ? text.lastIndexOf('\n', MAX_CHARS) : MAX_CHARS,
  );
  const fence = kind === 'code' ? /^(`{3,}|~{3,})/.exec(text)?.[1] : undefined;
  return fence ? `${cut}\n…\n${fence}` : `${cut.toWellFormed()} …`;
}
