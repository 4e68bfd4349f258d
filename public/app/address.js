import { randomId } from './ids.js';

const VALID = /^[A-Za-z0-9._:-]{1,128}$/u;

/**
 * The conversation's id lives in the fragment of the URL: a reload keeps it, a link shares it, and it does not reach
 * the logs of servers and proxies, which matters since whoever knows the id of a shared conversation may join it.
 */
export function conversationInUrl() {
  const id = location.hash.slice(1);
  if (VALID.test(id)) return id;
  const fresh = randomId();
  history.replaceState(null, '', `#${fresh}`);
  return fresh;
}

/** Goes to a new conversation; the browser's Back leads to the present one. */
export function goToNewConversation() {
  location.hash = randomId();
}

/**
 * The token of an address that ends in `#token=…` (or `#CONVERSATION&token=…`), or null. It is taken out of the address at
 * once: nobody should copy it, and the history should not have it.
 */
export function takeTokenFromUrl() {
  const parts = location.hash.slice(1).split('&');
  const given = parts.find((part) => part.startsWith('token='));
  if (!given) return null;
  const rest = parts.filter((part) => part !== given).join('&');
  history.replaceState(null, '', rest ? `#${rest}` : location.pathname + location.search);
  return given.slice('token='.length).trim() || null;
}
