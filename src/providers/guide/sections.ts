import { lexer, type Token, type Tokens } from 'marked';
import type { DocFile } from './documents.js';

/** A piece of Markdown that makes sense by itself. Items of one list and rows of one table share a `group`. */
export interface Block {
  kind: 'text' | 'code' | 'item' | 'row';
  text: string;
  group: number;
  /** For a row: the two lines of the table's head. */
  head?: string;
}

/** The text under one heading of a file, up to the next heading. */
export interface Section {
  id: number;
  file: string;
  heading: string;
  /** Headings above this one, outermost first. */
  trail: string[];
  blocks: Block[];
}

/**
 * Splits a file at its headings; ids count from `firstId`. A heading without text of its own makes no section, but stays
 * in the trail of the headings below it.
 */
export function toSections({ file, markdown }: DocFile, firstId: number): Section[] {
  const sections: Section[] = [];
  const path: string[] = [];
  let current: Section = { id: 0, file, heading: file, trail: [], blocks: [] };
  for (const token of lexer(markdown)) {
    if (token.type === 'heading') {
      const { depth, text } = token as Tokens.Heading;
      const heading = plain(text);
      path.length = Math.min(path.length, depth - 1);
      current = { id: 0, file, heading, trail: path.filter(Boolean), blocks: [] };
      path[depth - 1] = heading;
      sections.push(current);
    } else {
      if (sections.length === 0) sections.push(current);
      current.blocks.push(...toBlocks(token, current.blocks.length));
    }
  }
  return sections
    .filter(({ blocks }) => blocks.length > 0)
    .map((section, index) => ({ ...section, id: firstId + index }));
}

function toBlocks(token: Token, group: number): Block[] {
  switch (token.type) {
    case 'space':
    case 'html':
    case 'hr':
    case 'def':
      return [];
    case 'code':
      return [{ kind: 'code', text: token.raw.trimEnd(), group }];
    case 'list':
      return (token as Tokens.List).items.map(({ raw }) => ({
        kind: 'item',
        text: withoutLinks(raw),
        group,
      }));
    case 'table': {
      const [title = '', rule = '', ...rows] = withoutLinks(token.raw).split('\n');
      return rows.map((text) => ({ kind: 'row', text, group, head: `${title}\n${rule}` }));
    }
    default: {
      const text = withoutLinks(token.raw);
      return text === '' ? [] : [{ kind: 'text', text, group }];
    }
  }
}

/** Removes pictures, and replaces links within the documentation by their text: they lead nowhere from a chat. */
function withoutLinks(markdown: string): string {
  return markdown
    .replace(/!\[[^\]]*\]\([^)]*\)/g, '')
    .replace(/\[([^\]]*)\]\((?!https?:)[^)]*\)/g, '$1')
    .trim();
}

function plain(markdown: string): string {
  return withoutLinks(markdown).replace(/[`*]/g, '');
}
