/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** How long a further signal counts as a copy of the first: npm forwards one that the terminal has sent already. */
const COPY_MS = 2000;
const SIGNALS = /** @type {const} */ ([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
]);

/** @type {Set<ChildProcess>} */
const children = new Set();
let holders = 0;
let uninstall = () => {};

/**
 * Until the returned undo is called, a signal ends this process as it would by default, but after its children, to which it
 * is passed on, and with everything that is to be done at the exit. A second signal within two seconds is the first one; a
 * later one kills the children.
 * @returns {() => void}
 */
export function exitOnSignals() {
  if (holders === 0) uninstall = install();
  holders += 1;
  return () => {
    holders -= 1;
    if (holders === 0) uninstall();
  };
}

/**
 * Lets a child end with this process, as {@link exitOnSignals} says.
 * @param {ChildProcess} child
 * @returns {() => void} to call when the child has ended by itself.
 */
export function endWithUs(child) {
  children.add(child);
  const release = exitOnSignals();
  return () => {
    children.delete(child);
    release();
  };
}

/** @returns {() => void} */
function install() {
  let since = 0;
  const undos = SIGNALS.map(([signal, code]) => {
    const onSignal = () => {
      const isFirst = since === 0;
      if (!isFirst && performance.now() - since < COPY_MS) return;
      since ||= performance.now();
      if (isFirst) exitAfter(children, code);
      for (const child of children) child.kill(isFirst ? signal : 'SIGKILL');
    };
    process.on(signal, onSignal);
    return () => void process.off(signal, onSignal);
  });
  return () => undos.forEach((undo) => undo());
}

/**
 * Exits within the last child's `close`, before anybody reports that a child has failed.
 * @param {Iterable<ChildProcess>} all
 * @param {number} code
 */
function exitAfter(all, code) {
  const open = new Set(all);
  if (open.size === 0) process.exit(code);
  for (const child of open) {
    child.prependOnceListener('close', () => {
      open.delete(child);
      if (open.size === 0) process.exit(code);
    });
  }
}
