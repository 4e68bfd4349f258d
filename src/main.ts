import 'reflect-metadata';
import { startStreamgate, type Running } from './app/bootstrap.js';
import { readSettings } from './app/settings.js';
import { loadEnvironment } from './platform/config/environment.js';

// Whoever reads the output may go before the process does: it goes on, and what it says is lost.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {});

async function start(): Promise<Running> {
  const running = await startStreamgate(await readSettings(loadEnvironment));
  running.announce();
  return running;
}

/** A signal that comes during the start is obeyed when there is something to close: PostgreSQL is not left behind. */
function leave(): void {
  // A second signal ends the process at once.
  process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1));
  started
    .then((running) => running.close())
    .then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(
          `Streamgate did not end cleanly. ${error instanceof Error ? error.message : String(error)}\n`,
        );
        process.exit(1);
      },
    );
}

const started = start();
process.once('SIGTERM', leave).once('SIGINT', leave);
try {
  await started;
} catch (error) {
  process.stderr.write(
    `Streamgate cannot start. ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}
