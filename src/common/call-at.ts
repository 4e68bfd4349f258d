/** setTimeout takes no longer time. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Calls `act` once at `time` (milliseconds since 1970), as soon as may be where that is past, unless the returned function
 * is called before. `Infinity` is never.
 */
export function callAt(time: number, act: () => void): () => void {
  if (time === Infinity) return () => {};
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const leftMs = time - Date.now();
    timer = leftMs > MAX_TIMER_MS ? setTimeout(wait, MAX_TIMER_MS) : setTimeout(act, leftMs);
  };
  wait();
  return () => clearTimeout(timer);
}
