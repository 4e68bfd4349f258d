import DOMPurify from '/vendor/dompurify/purify.es.mjs';
import { Marked, Tokenizer } from '/vendor/marked/marked.esm.js';
import { codeBlock } from './code-block.js';
import { make } from './dom.js';
import { plainText } from './plain-text.js';

const ALLOWED = {
  ALLOWED_TAGS:
    'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul'.split(
      ' ',
    ),
  ALLOWED_ATTR: ['href', 'title', 'start', 'class'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/iu,
  RETURN_DOM_FRAGMENT: true,
};

/** Longest time to parse a text, in milliseconds. Some texts take a time that grows with the square of their length. */
const BUDGET_MS = 100;
/** Deepest nesting of blocks and spans. The elements of deeper ones would exhaust the browser's stack. */
const MAX_DEPTH = 40;

/**
 * Formulas in TeX are shown as they were written: markdown would take their backslashes for escapes, and their signs for
 * emphasis and lists. `$…$` must look like one (Pandoc's rule), for it may be money. Bounded, so that openings without an end
 * cost little.
 */
const FORMULA_BLOCK = /^ {0,3}(?:\\\[[\s\S]{1,4000}?\\\]|\$\$[\s\S]{1,4000}?\$\$)[ \t]*(?:\n+|$)/u;
const FORMULA =
  /^(?:\\\([\s\S]{1,2000}?\\\)|\\\[[\s\S]{1,2000}?\\\](?![(:[])|\$\$[^$]{1,2000}\$\$|\$(?=[^\s$])[^$\n]{0,500}[^\s$\\]\$(?!\d))/u;

function formula(name, level, pattern, start) {
  return {
    name,
    level,
    start: (text) => {
      const index = text.search(start);
      return index < 0 ? undefined : index;
    },
    tokenizer: (text) => {
      const raw = pattern.exec(text)?.[0];
      return raw && { type: name, raw, text: raw.trim() };
    },
    renderer: ({ text }) =>
      level === 'block' ? `<p class="formula">${escapeHtml(text)}</p>` : escapeHtml(text),
  };
}

const marked = new Marked({
  extensions: [
    formula('formulaBlock', 'block', FORMULA_BLOCK, /^ {0,3}(?:\\\[|\$\$)/mu),
    formula('formula', 'inline', FORMULA, /\\[([]|\$/u),
  ],
  gfm: true,
  tokenizer: Object.fromEntries(
    Object.getOwnPropertyNames(Tokenizer.prototype)
      .filter((name) => name !== 'constructor')
      .map((name) => [name, checkBudget]),
  ),
  renderer: {
    // Somebody's markup is shown, never run.
    html: ({ text }) => escapeHtml(text),
    // No request to a foreign server because somebody wrote an address: an image is its description.
    image: ({ text }) => escapeHtml(text),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

let deadline = 0;

/** Takes the place of each tokenizer, and leaves the work to it. */
function checkBudget() {
  if (performance.now() > deadline) throw new RangeError('The text takes too long.');
  return false;
}

/** The blocks of `text`; undefined if they are nested too deeply, or take too long to find. */
function blocksOf(text) {
  deadline = performance.now() + BUDGET_MS;
  try {
    const blocks = marked.lexer(text);
    if (isShallow(blocks)) return blocks.filter(({ type }) => type !== 'space' && type !== 'def');
  } catch (error) {
    // Also the one of an exhausted stack.
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

function isShallow(blocks) {
  let level = blocks;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    if (level.length === 0) return true;
    level = level.flatMap((token) => [...(token.tokens ?? []), ...(token.items ?? [])]);
  }
  return false;
}

function escapeHtml(text) {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/**
 * Shows markdown that may still grow, or plain text from when it cannot be parsed in bounded time and depth. Blocks that did not change keep their elements, so that a long answer costs no
 * more per chunk than its last paragraph, a selection survives, and the end of a stream changes nothing on the screen.
 */
export class MarkdownView {
  element = make('div', 'prose');
  /** The markdown of each block that is shown. */
  #shown = [];
  #isPlain = false;

  show(text) {
    const blocks = this.#isPlain ? undefined : blocksOf(text);
    if (!blocks) {
      this.#isPlain = true;
      this.element.replaceChildren(plainText(text));
      return;
    }
    blocks.forEach((block, index) => this.#showBlock(block, index));
    while (this.#shown.length > blocks.length) {
      this.#shown.pop();
      this.element.lastChild.remove();
    }
  }

  #showBlock(block, index) {
    if (this.#shown[index] === block.raw) return;
    const fresh = make('div', 'block', { children: [rendered(block)] });
    const present = this.element.children[index];
    if (present) present.replaceWith(fresh);
    else this.element.append(fresh);
    this.#shown[index] = block.raw;
  }
}

function rendered(block) {
  const fragment = DOMPurify.sanitize(marked.parser([block]), ALLOWED);
  // Each block has the direction of its first letter.
  for (const part of fragment.children) part.dir = 'auto';
  for (const part of fragment.querySelectorAll('code, pre, .formula')) part.dir = 'ltr';
  for (const link of fragment.querySelectorAll('a')) openElsewhere(link);
  for (const pre of fragment.querySelectorAll('pre')) dressCode(pre);
  for (const table of fragment.querySelectorAll('table')) {
    const frame = make('div', 'table', { tabindex: '0', role: 'region', 'aria-label': 'Table' });
    table.replaceWith(frame);
    frame.append(table);
  }
  for (const element of fragment.querySelectorAll('[class^="language-"]')) element.removeAttribute('class');
  return fragment;
}

function openElsewhere(link) {
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
}

function dressCode(pre) {
  const code = pre.querySelector('code') ?? make('code', '', { children: [pre.textContent] });
  const language = /language-(\S+)/u.exec(code.className)?.[1] ?? '';
  const frame = make('div');
  pre.replaceWith(frame);
  frame.replaceWith(codeBlock(code, language));
}
