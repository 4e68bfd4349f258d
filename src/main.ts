import 'reflect-metadata';
import { startStreamgate, type Running, type Start } from './app/bootstrap.js';
import { readSettings } from './app/settings.js';
import { withTimeout } from './common/deadline.js';
import { loadEnvironment } from './platform/config/environment.js';

/** SIGHUP: the terminal was closed. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/**
 * How long a further signal counts as a copy of the first, in milliseconds: npm forwards a signal that the terminal,
 * systemd or `timeout` has sent to this process as well (P12).
 */
const COPY_MS = 2000;
/** Longest time to stop the embedded PostgreSQL when the process must exit at once, in milliseconds. */
const FORCED_STOP_MS = 8000;

// If the reader of the output exits first, the process continues and its output is lost.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {});

const leaving = new AbortController();
let leavingSince = 0;
let start: Start | undefined;

async function run(): Promise<Running> {
  start = startStreamgate(await readSettings(loadEnvironment), leaving.signal);
  const running = await start.running;
  if (!leaving.signal.aborted) running.announce();
  return running;
}

function onSignal(): void {
  if (!leaving.signal.aborted) {
    leavingSince = performance.now();
    leaving.abort(new Error('a signal came during the start'));
    void leave();
  } else if (performance.now() - leavingSince > COPY_MS) {
    void exitNow();
  }
}

/** A start that has not ended yet ends first, so that there is something to close. */
async function leave(): Promise<void> {
  const running = await started.catch(() => undefined);
  try {
    await running?.close();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`Streamgate did not end cleanly. ${messageOf(error)}\n`);
    process.exit(1);
  }
}

/** Drains nothing, but does not leave the embedded PostgreSQL running. */
async function exitNow(): Promise<void> {
  await withTimeout(start?.stopDatabase() ?? Promise.resolve(), FORCED_STOP_MS).catch(() => false);
  process.exit(1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const started = run();
for (const signal of SIGNALS) process.on(signal, onSignal);
try {
  await started;
} catch (error) {
  if (!leaving.signal.aborted) {
    process.stderr.write(`Streamgate cannot start. ${messageOf(error)}\n`);
    process.exit(1);
  }
}
