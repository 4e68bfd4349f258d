/** What a check came to: one line for a person, and what to do where it is not `ok`. Never holds a secret. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  /** Which check, in a word or two. */
  readonly check: string;
  readonly message: string;
  /** What to do; absent where all is well. */
  readonly remedy?: string;
}

/** Something is as it should be. */
export function ok(check: string, message: string): Finding {
  return { level: 'ok', check, message };
}

/** It works, and will hurt one day. */
export function warn(check: string, message: string, remedy: string): Finding {
  return { level: 'warn', check, message, remedy };
}

/** It does not work. */
export function fail(check: string, message: string, remedy: string): Finding {
  return { level: 'fail', check, message, remedy };
}
