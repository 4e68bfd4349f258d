import { copyText, icon, make, setText } from './dom.js';

const COPIED_FOR_MS = 1600;

/** A code block with its language and a copy button; `code` is the element that holds the text. */
export function codeBlock(code, language) {
  const label = make('span', '', { children: ['Copy'] });
  const button = make('button', 'code-copy', {
    type: 'button',
    'aria-label': 'Copy code',
    children: [icon('copy'), label],
  });
  button.addEventListener('click', () => void copy(code, label));
  const head = make('div', 'code-head', {
    children: [make('span', '', { children: [language || 'text'] }), button],
  });
  const pre = make('pre', '', {
    tabindex: '0',
    role: 'region',
    'aria-label': 'Code',
    dir: 'ltr',
    children: [code],
  });
  return make('div', 'code', { children: [head, pre] });
}

async function copy(code, label) {
  setText(label, (await copyText(code.textContent)) ? 'Copied' : 'Not copied');
  setTimeout(() => setText(label, 'Copy'), COPIED_FOR_MS);
}
