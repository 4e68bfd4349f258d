import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface ServerOptions {
  /** Variables beside the test's own; `PORT` to come back on the same one. */
  env?: Record<string, string>;
  /** A database to use; by default a new one that is dropped at the end. */
  databaseUrl?: string;
  /** By default the built service. */
  program?: string;
}

/** The built service in a process of its own. */
export interface TestServer {
  readonly url: string;
  readonly databaseUrl: string;
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code when it has ended, its database dropped. */
  stop(): Promise<number | null>;
  /** SIGTERM; resolves with the exit code. The database stays. */
  terminate(): Promise<number | null>;
  /** SIGKILL; the database stays. */
  kill(): Promise<void>;
  /** The same again, on the same port, database and data folder. */
  restart(): Promise<TestServer>;
}

/** Secret of the tokens in tests: `test/support/auth.ts` signs with it. */
export const TEST_SECRET = 'a secret for tests of more than thirty-two characters';

const MAIN = join(import.meta.dirname, '../../dist/main.js');
const READY_MS = 45_000;

/** Starts `dist/main.js` on a free port with a database of its own. Rejects with its output if it does not get ready. */
export async function startServer({
  env = {},
  databaseUrl,
  program = MAIN,
}: ServerOptions = {}): Promise<TestServer> {
  const database = databaseUrl === undefined ? await createTestDatabase() : null;
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-server-'));
  const url = databaseUrl ?? (database as TestDatabase).url;
  return launch({ env, databaseUrl: url, database, dataDir, program });
}

/** Stops a server. @throws with its output unless it exits with 0. */
export async function stopCleanly(server: TestServer): Promise<void> {
  const code = await server.stop();
  if (code !== 0) throw new Error(`the server ended with ${code}:\n${server.output()}`);
}

interface Launch {
  env: Record<string, string>;
  databaseUrl: string;
  database: TestDatabase | null;
  dataDir: string;
  program: string;
}

async function launch(options: Launch): Promise<TestServer> {
  const { env, databaseUrl, database, dataDir, program } = options;
  const { PATH = '' } = process.env;
  // The folder among the arguments tells the supervisor of the run that this process is the run's.
  const child = spawn(process.execPath, [program, dataDir], {
    cwd: dataDir,
    env: {
      ...{ PATH, PORT: '0', DATA_DIR: dataDir, DATABASE_URL: databaseUrl, AUTH_JWT_SECRET: TEST_SECRET },
      ...{
        NODE_ENV: 'test',
        LOG_LEVEL: 'warn',
        GUIDE_WORDS_PER_SECOND: '0',
        LLM_CHECK_AT_START: 'false',
        SHUTDOWN_SPREAD_MS: '0',
        ...env,
      },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const url = await readyUrl(child, () => output);
  const gone = once(child, 'exit') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    const [code] = await gone;
    return code;
  };
  return {
    url,
    databaseUrl,
    pid: child.pid as number,
    output: () => output,
    stop: async () => {
      const code = await end('SIGTERM');
      await database?.drop();
      await rm(dataDir, { recursive: true, force: true });
      return code;
    },
    terminate: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    restart: () => launch({ ...options, env: { ...env, PORT: new URL(url).port } }),
  };
}

function readyUrl(child: ChildProcess, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`the server did not get ready:\n${output()}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail();
    }, READY_MS);
    child.once('exit', fail);
    child.stdout?.on('data', () => {
      const url = /Streamgate is ready: ([^\s"]+)/.exec(output())?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      child.off('exit', fail);
      resolve(url);
    });
  });
}
