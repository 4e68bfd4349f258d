import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 15_000;
const LOOK_EVERY_MS = 30;

/** Looks until `look` gives true. @throws after `deadlineMs` (15 s), naming `what` did not come. */
export async function eventually(
  look: () => Promise<boolean> | boolean,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
