import { make, setText } from './dom.js';

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_MS = 24 * 60 * 60 * 1000;

export function timeElement() {
  return make('time', 'when');
}

/** Shows the clock time of `at`, a time in milliseconds, with the full date on hover. */
export function showTime(element, at) {
  const date = new Date(at);
  if (element.dateTime === date.toISOString()) return;
  element.dateTime = date.toISOString();
  element.title = FULL.format(date);
  setText(element, CLOCK.format(date));
}

/** "Today", "Yesterday" or the date of `at`. */
export function dayName(at) {
  const day = new Date(at).toDateString();
  if (day === new Date().toDateString()) return 'Today';
  if (day === new Date(Date.now() - DAY_MS).toDateString()) return 'Yesterday';
  return DAY.format(new Date(at));
}
