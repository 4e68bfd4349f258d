import { codeBlock } from './code-block.js';
import { make } from './dom.js';

const FENCE = /```([\w+#.-]*)\n([\s\S]*?)(?:\n```|$)\n?/gu;
const ADDRESS = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/gu;

/** What a person wrote, as it was written; addresses become links and fenced code a code block. */
export function plainText(text) {
  const parts = [];
  let end = 0;
  for (const fence of text.matchAll(FENCE)) {
    parts.push(...linked(text.slice(end, fence.index)));
    parts.push(codeBlock(make('code', '', { children: [fence[2]] }), fence[1]));
    end = fence.index + fence[0].length;
  }
  parts.push(...linked(text.slice(end)));
  return make('div', 'plain', { dir: 'auto', children: parts });
}

function linked(text) {
  const parts = [];
  let end = 0;
  for (const address of text.matchAll(ADDRESS)) {
    parts.push(text.slice(end, address.index), link(address[0]));
    end = address.index + address[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

function link(address) {
  return make('a', '', { href: address, target: '_blank', rel: 'noopener noreferrer', children: [address] });
}
