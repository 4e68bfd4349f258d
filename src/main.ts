import 'reflect-metadata';
import { startStreamgate } from './bootstrap.js';
import { loadEnvironment } from './config/environment.js';

try {
  const running = await startStreamgate(loadEnvironment());
  process.stdout.write(`${running.banner.join('\n')}\n`);
  const leave = (): void => {
    // A second signal ends the process at once.
    process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1));
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`Streamgate did not end cleanly: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', leave).once('SIGINT', leave);
} catch (error) {
  process.stderr.write(
    `Streamgate cannot start. ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}
