import DOMPurify from '/vendor/dompurify/purify.es.mjs';
import { Marked } from '/vendor/marked/marked.esm.js';
import { codeBlock } from './code-block.js';
import { make } from './dom.js';

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
  renderer: {
    // Somebody's markup is shown, never run.
    html: ({ text }) => escapeHtml(text),
    // No request to a foreign server because somebody wrote an address: an image is its description.
    image: ({ text }) => escapeHtml(text),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

function escapeHtml(text) {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/**
 * Shows markdown that may still grow. Blocks that did not change keep their elements, so that a long answer costs no
 * more per chunk than its last paragraph, a selection survives, and the end of a stream changes nothing on the screen.
 */
export class MarkdownView {
  element = make('div', 'prose');
  /** The markdown of each block that is shown. */
  #shown = [];

  show(text) {
    const blocks = marked.lexer(text).filter(({ type }) => type !== 'space' && type !== 'def');
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
