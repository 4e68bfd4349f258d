const SVG = 'http://www.w3.org/2000/svg';

/** The element with `id` of the page's markup. */
export function byId(id) {
  return document.getElementById(id);
}

/** An element with a class, attributes and children; strings become text. */
export function make(tag, className = '', { children = [], ...attributes } = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An icon of `icons.svg`, hidden from screen readers. */
export function icon(name, className = 'icon') {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', className);
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A button with an icon and a label that all can see. */
export function iconButton(className, iconName, label) {
  return make('button', className, {
    type: 'button',
    children: [icon(iconName), make('span', '', { children: [label] })],
  });
}

/** Sets the text only where it differs, so that nothing is announced or selected anew. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Copies `text`. @returns whether it worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The way without the clipboard API, which browsers keep for secure origins. */
function copyBySelection(text) {
  const area = make('textarea', 'visually-hidden', { 'aria-hidden': 'true' });
  area.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  // oxlint-disable-next-line typescript/no-deprecated -- there is no other way on an insecure origin
  const copied = document.execCommand('copy');
  area.remove();
  return copied;
}
