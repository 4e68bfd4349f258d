import { exitOnSignals } from './signals.mjs';

/** What the launchers tell the person in front of the terminal goes to stderr: stdout belongs to the service. */

/** An end with a sentence that says what to do; launchers print it without a stack trace. */
export class PrepareError extends Error {
  /** @override */
  name = 'PrepareError';
}

/**
 * Prints one line.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Whole seconds since `startedAt` (of `Date.now()`), as text such as `12 s`.
 * @param {number} startedAt
 */
export function elapsed(startedAt) {
  return `${Math.round((Date.now() - startedAt) / 1000)} s`;
}

/**
 * Runs a launcher: a {@link PrepareError} becomes its sentence, and the process ends with 1. A signal ends it in order.
 * @param {() => Promise<void>} main
 */
export async function launch(main) {
  const release = exitOnSignals();
  try {
    await main();
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error;
    say(error.message);
    process.exit(1);
  } finally {
    release();
  }
}
