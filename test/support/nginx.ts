import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { ROOT } from './pages.js';
import { nginxPath } from './requirements.js';
import { freePort } from '../../src/platform/database/embedded/free-port.js';

/** An nginx of the test's own, with the configuration that is shipped. */
export interface Nginx {
  /** Where it listens. */
  readonly url: string;
  /** The access log so far. */
  accessLog(): Promise<string>;
  /** The error log of the server so far. */
  errorLog(): Promise<string>;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
}

/** A text of the shipped file and what a test has in its place. */
type Replacement = readonly [from: string, to: string];

const HTTP_BLOCK = (folder: string): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/main.log warn;
events { worker_connections 256; }
http {
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  include ${folder}/streamgate.conf;
}
`;

/**
 * Starts nginx with deploy/nginx/streamgate.conf in front of `upstream`; only addresses and paths are replaced, TLS is
 * left out, and what `spoil` asks for.
 */
export async function startNginx(upstream: string, spoil: readonly Replacement[] = []): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'streamgate-nginx-'));
  const [port, plainPort] = [await freePort(), await freePort()];
  const shipped = await readFile(join(ROOT, 'deploy/nginx/streamgate.conf'), 'utf8');
  await writeFile(
    join(folder, 'streamgate.conf'),
    replaced(shipped, [
      ['server 127.0.0.1:3000;', `server ${new URL(upstream).host};`],
      ['listen 80;', `listen 127.0.0.1:${plainPort};`],
      ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
      ['ssl_certificate /etc/nginx/streamgate.crt;', ''],
      ['ssl_certificate_key /etc/nginx/streamgate.key;', ''],
      ['/var/log/nginx/streamgate.log', `${folder}/access.log`],
      ['/var/log/nginx/streamgate-error.log', `${folder}/error.log`],
      ...spoil,
    ]),
  );
  await writeFile(join(folder, 'nginx.conf'), HTTP_BLOCK(folder));
  await mkdir(join(folder, 'logs'));
  // As root it takes another user for its temporary files.
  await chmod(folder, 0o755);
  return run(folder, `http://127.0.0.1:${port}`);
}

async function run(folder: string, url: string): Promise<Nginx> {
  const child = spawn(nginxPath() as string, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const gone = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${said}`);
      return answers(url);
    }, 'nginx answers');
  } catch (error) {
    await stop();
    throw error;
  }
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  return { url, stop, accessLog: () => read('access.log'), errorLog: () => read('error.log') };
}

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

/** @throws where the shipped text is not there exactly once: a test must not replace nothing. */
function replaced(text: string, replacements: readonly Replacement[]): string {
  return replacements.reduce((before, [from, to]) => {
    const parts = before.split(from);
    if (parts.length !== 2) throw new Error(`“${from}” is there ${parts.length - 1} times`);
    return parts.join(to);
  }, text);
}
