import * as fc from 'fast-check';

/** How long the fuzzer runs, over all its files, in seconds. */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 24);
const FILES = 3;
/** Vitest's own limit beside it: for the start, the leak checks, and the search for a smaller case. */
const ROOM_MS = 150_000;
const SHRINK_MS = 60_000;
const RUNS_PER_ROUND = 10;

/** The seed of the first round; each further round has the next number. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** How long one file's scenario runs, in milliseconds. */
export const SCENARIO_MS = (SECONDS * 1000) / FILES;

/** For a test that holds one scenario. */
export const SCENARIO_TIMEOUT_MS = SCENARIO_MS + ROOM_MS;

/**
 * Tries `property` again and again until the scenario's time is over, in rounds, each with `afterRound` behind it.
 * @throws with the case made small and its seed: `FUZZ_SEED` with that number repeats it in the first round.
 * @returns how many cases were tried.
 */
export async function scenario<T>(
  property: fc.IAsyncProperty<T>,
  afterRound: () => Promise<void>,
): Promise<number> {
  const end = Date.now() + SCENARIO_MS;
  let rounds = 0;
  do {
    await fc.assert(property, {
      seed: SEED + rounds,
      numRuns: RUNS_PER_ROUND,
      plugins: [fc.interruptAfterTimeLimit(SHRINK_MS)],
    });
    await afterRound();
    rounds += 1;
  } while (Date.now() < end);
  return rounds * RUNS_PER_ROUND;
}
