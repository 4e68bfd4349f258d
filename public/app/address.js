import { randomId } from './ids.js';

const VALID = /^[A-Za-z0-9._:-]{1,128}$/u;

/**
 * The conversation's id lives in the fragment of the URL: a reload keeps it, a link shares it, and it does not reach
 * the logs of servers and proxies, which matters since whoever knows the id of a shared conversation may join it.
 */
export function conversationInUrl() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (VALID.test(id)) return id;
  const fresh = randomId();
  history.replaceState(null, '', `#${fresh}`);
  return fresh;
}

/** Goes to a new conversation; the browser's Back leads to the present one. */
export function goToNewConversation() {
  location.hash = randomId();
}
