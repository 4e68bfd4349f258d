/** Milliseconds. */
export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** Bound of times that only PostgreSQL and tokens go by, no timer. */
export const TEN_YEARS = 3650 * DAY;
