import { byId, make } from './dom.js';

const SHOWN_MS = 4000;

/** Shows a sentence for a few seconds. A sentence that is shown already is not shown twice. */
export function toast(text) {
  const toasts = byId('toasts');
  if ([...toasts.children].some((shown) => shown.textContent === text)) return;
  const element = make('p', 'toast', { children: [text] });
  toasts.append(element);
  setTimeout(() => element.remove(), SHOWN_MS);
}
