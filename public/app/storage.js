/** Stands in where the browser keeps nothing (storage switched off or full): lasts as long as the page. */
const memory = new Map();

const PREFIX = 'streamgate.';

/** The kept value of `key` as it was given to {@link keep}, or null. A value that `isValid` refuses counts as none. */
export function recall(key, isValid) {
  try {
    const text = localStorage.getItem(PREFIX + key);
    if (text !== null) {
      const value = JSON.parse(text);
      return isValid(value) ? value : null;
    }
  } catch {
    // No storage, or no JSON: as if there were none.
  }
  return memory.get(key) ?? null;
}

/** For {@link recall}: whether a value is a text. */
export const isText = (value) => typeof value === 'string';

/** Keeps a JSON value over reloads. */
export function keep(key, value) {
  memory.set(key, value);
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Kept in memory.
  }
}

export function forget(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(PREFIX + key);
  } catch {
    // It was in memory only.
  }
}

/** All kept keys that begin with `start`. */
export function keysFrom(start) {
  const keys = new Set([...memory.keys()].filter((key) => key.startsWith(start)));
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(PREFIX + start)) keys.add(key.slice(PREFIX.length));
    }
  } catch {
    // Memory's keys are all there are.
  }
  return [...keys];
}

/** A text that this tab keeps, or null. */
export function recallInTab(key) {
  try {
    return sessionStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** Keeps a text until the tab is closed. */
export function keepInTab(key, text) {
  try {
    sessionStorage.setItem(PREFIX + key, text);
  } catch {
    // It lasts as long as the page.
  }
}

export function forgetInTab(key) {
  try {
    sessionStorage.removeItem(PREFIX + key);
  } catch {
    // It was not kept.
  }
}
