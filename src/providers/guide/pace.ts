import { setTimeout as delay } from 'node:timers/promises';

/**
 * The words of `text`, each with the white space behind it, `perSecond` of them a second (0: as fast as they are read).
 * A reader that pauses is not flooded afterwards. Ends with an `AbortError` as soon as `signal` is aborted.
 */
export async function* paced(text: string, perSecond: number, signal: AbortSignal): AsyncGenerator<string> {
  let due = performance.now();
  for (const [word] of text.matchAll(/\s*\S+\s*|\s+/gu)) {
    const wait = due - performance.now();
    // Timers have a grain of 1 ms: at a quick pace several words share one.
    if (perSecond > 0 && wait >= 1) await abortable(wait, signal);
    if (signal.aborted) throw aborted();
    yield word;
    due = Math.max(due, performance.now() - 100) + (perSecond > 0 ? 1000 / perSecond : 0);
  }
  if (signal.aborted) throw aborted();
}

async function abortable(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Its own AbortError carries whatever reason the caller gave; the port promises a plain one.
    throw aborted();
  }
}

function aborted(): DOMException {
  return new DOMException('The answer is no longer wanted.', 'AbortError');
}
