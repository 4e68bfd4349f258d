import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from '../../src/platform/database/embedded/free-port.js';
import { eventually } from './eventually.js';
import { pgbouncerPath } from './requirements.js';

/** A PgBouncer of the test's own, with its defaults but for what a test sets. */
export interface PgBouncer {
  /** The URL of the database through it. */
  readonly url: string;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
}

/** Starts one before the server of `url`; `settings` are lines of its file, such as `pool_mode = transaction`. */
export async function startPgBouncer(url: string, settings: readonly string[] = []): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'streamgate-pgbouncer-'));
  const { hostname, port, username, password } = new URL(url);
  const own = await freePort();
  const server = `host=${hostname} port=${port || 5432} user=${username} password=${decodeURIComponent(password)}`;
  const file = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `* = ${server}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${own}`,
  ];
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['user = nobody'] : [];
  await writeFile(
    file,
    [...lines, 'auth_type = any', 'unix_socket_dir =', ...user, ...settings, ''].join('\n'),
  );
  await chmod(folder, 0o755);
  const child = spawn(pgbouncerPath() as string, [file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const gone = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  const outside = new URL(url);
  outside.host = `127.0.0.1:${own}`;
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: ${said}`);
      return accepts(outside.href);
    }, 'PgBouncer answers');
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: outside.href, stop };
}

async function accepts(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
