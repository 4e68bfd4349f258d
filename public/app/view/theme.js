import { forget, keep } from '../storage.js';
import { byId } from './dom.js';

const DARK = matchMedia('(prefers-color-scheme: dark)');

/** The theme button: the other of light and dark; what the system says anyway is not kept. */
export function startTheme() {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (DARK.matches ? 'dark' : 'light')) === 'dark';
  const show = () => {
    root.dataset.look = dark() ? 'dark' : 'light';
    byId('theme-button').setAttribute('aria-label', dark() ? 'Use the light theme' : 'Use the dark theme');
  };
  byId('theme-button').addEventListener('click', () => {
    const wanted = dark() ? 'light' : 'dark';
    if ((wanted === 'dark') === DARK.matches) {
      delete root.dataset.theme;
      forget('theme');
    } else {
      root.dataset.theme = wanted;
      keep('theme', wanted);
    }
    show();
  });
  DARK.addEventListener('change', show);
  show();
}
