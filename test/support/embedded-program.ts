/** A process to be killed by tests: owns an embedded PostgreSQL with the options of its first argument, until it reads from stdin. */
import {
  startEmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '../../src/platform/database/embedded-postgres.js';

const tell = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const log = { info: () => {}, warn: () => {}, error: () => {} };

process.on('SIGINT', () => {}); // Ctrl-C: a service drains first.
try {
  const options = JSON.parse(process.argv[2] ?? '{}') as Omit<EmbeddedPostgresOptions, 'log'>;
  const server = await startEmbeddedPostgres({ ...options, log });
  process.stdin.once('data', () => {
    void server.stop().then(() => process.exit(0));
  });
  tell({ url: server.url });
} catch (error) {
  tell({ error: String(error) });
  process.exitCode = 1;
}
