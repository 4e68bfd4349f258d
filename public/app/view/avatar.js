import { hueOf, initialOf, nameOf } from '../people.js';
import { icon, make } from './dom.js';

/** The round sign of a person: initial and colour. Decoration: the name stands beside it. */
export function avatar(userId, name) {
  const shown = nameOf(userId, name);
  return make('span', `avatar hue-${hueOf(userId)}`, { 'aria-hidden': 'true', children: [initialOf(shown)] });
}

/** The round sign of the assistant. */
export function assistantAvatar() {
  return make('span', 'avatar', { 'aria-hidden': 'true', children: [icon('mark', 'mark')] });
}
