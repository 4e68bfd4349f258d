// Loaded into a server before anything else, by `--import`: at SIGUSR2 its clock is set by CLOCK_JUMP_MS, as an operator does.
// Timers and performance.now() go on, as they do on a real machine.
let aheadMs = 0;

globalThis.Date = new Proxy(Date, {
  construct: (real, args, newTarget) =>
    /** @type {Date} */ (Reflect.construct(real, args.length > 0 ? args : [real.now() + aheadMs], newTarget)),
  /** @returns {unknown} */
  get: (real, key) => (key === 'now' ? () => real.now() + aheadMs : Reflect.get(real, key)),
});

process.on('SIGUSR2', () => {
  aheadMs += Number(process.env['CLOCK_JUMP_MS']);
});
