/** Result of a check: one line for a person, and what to do unless it is `ok`. Never contains a secret. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  /** Name of the check, in a word or two. */
  readonly check: string;
  readonly message: string;
  /** What to do; absent if the check passed. */
  readonly remedy?: string;
}

/** Returns a finding for a check that passed. */
export function ok(check: string, message: string): Finding {
  return { level: 'ok', check, message };
}

/** Returns a finding for something that works but may cause trouble later. */
export function warn(check: string, message: string, remedy: string): Finding {
  return { level: 'warn', check, message, remedy };
}

/** Returns a finding for a check that failed. */
export function fail(check: string, message: string, remedy: string): Finding {
  return { level: 'fail', check, message, remedy };
}
