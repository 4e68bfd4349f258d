/** Settles as `work` does, or rejects with the reason of `signal` as soon as it fires. The work itself goes on; its result is dropped. */
export function withAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Waits for `work`, for at most `ms`. Resolves with whether it ended in time; rejects if it fails within that time. */
export function withTimeout(work: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), Math.max(0, ms));
    work.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  });
}

/** Resolves after `ms`, or rejects with the reason of `signal` as soon as it fires. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await withAbort(elapsed, signal).finally(() => clearTimeout(timer));
}
