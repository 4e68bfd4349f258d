/** Microseconds of the machine's monotonic clock: the same for all processes of one machine. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Milliseconds of the same clock, with fractions. */
export function nowMs(): number {
  return nowUs() / 1000;
}
