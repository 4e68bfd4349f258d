import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isAlive } from '../../src/platform/database/embedded/processes.js';
import { ROOT } from '../../scripts/lib/prepare.mjs';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { TEST_SECRET } from '../support/server.js';

vi.setConfig({ testTimeout: 90_000 });

/** What a terminal sends for Ctrl-C. */
const CTRL_C = '\x03';

let dataDir: string;
let started: ChildProcess[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'streamgate-signals-'));
  started = [];
});

afterEach(async () => {
  for (const child of started)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  const pid = await postmaster();
  if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGQUIT');
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

/** The number of the embedded PostgreSQL that runs on the data folder; its file is gone after an orderly end. */
async function postmaster(): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text.split('\n')[0]);
}

/** How often PostgreSQL was ready, by its log. */
async function databaseStarts(): Promise<number> {
  const log = await readFile(join(dataDir, 'postgres.log'), 'utf8').catch(() => '');
  return log.split('ready to accept').length - 1;
}

interface Program {
  child: ChildProcess;
  output(): string;
  /** Resolves when the output has `text`. */
  says(text: string): Promise<void>;
  /** Exit code, or the signal that it died of. */
  ended: Promise<number | NodeJS.Signals | null>;
}

/** Starts a command in a process group of its own, as a shell with job control does. */
function run(command: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const child = spawn(command, args, {
    cwd: ROOT,
    detached: true,
    env: {
      ...process.env,
      ...{ PORT: '0', DATA_DIR: dataDir, DATABASE_URL: '', AUTH_JWT_SECRET: TEST_SECRET, NODE_ENV: 'test' },
      ...{ LOG_LEVEL: 'warn', SHUTDOWN_SPREAD_MS: '0', LISTEN_HANDLES: '1', ...env },
    },
    stdio: 'pipe',
  });
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return {
    ...{ child, output: () => output, ended },
    says: (text) => eventually(() => output.includes(text), text, 40_000).then(() => {}),
  };
}

/** `node scripts/start.mjs`; the folder among the arguments tells the supervisor of the run whose it is. */
const start = (env: Record<string, string> = {}): Program =>
  run(process.execPath, ['scripts/start.mjs', dataDir], env);

/** Sends a signal to every process of the program's group, as a terminal does. */
function toGroup({ child }: Program, signal: NodeJS.Signals): void {
  process.kill(-(child.pid as number), signal);
}

async function clientOf({ output }: Program): Promise<TestClient> {
  const url = /Streamgate is ready: ([^\s"]+)/.exec(output())?.[1] ?? '';
  return TestClient.connect(url, 'ann');
}

/** That the program has ended in order, and its PostgreSQL too. */
async function expectCleanEnd(program: Program): Promise<void> {
  expect([await program.ended, program.output()]).toEqual([0, expect.not.stringContaining('cleanly')]);
  expect(await postmaster()).toBeUndefined();
}

test('One Ctrl-C at the terminal of npm start ends the server in order, and its PostgreSQL (P12)', async () => {
  // `exec`: a shell between the terminal and npm would end of the Ctrl-C as well, and hide how npm ended.
  const npm = `exec npm start -- ${dataDir}`;
  const log = join(dataDir, 'terminal');
  const args = process.platform === 'linux' ? ['-qefc', npm, log] : ['-q', log, 'sh', '-c', npm];
  const terminal = run('script', args, { SHUTDOWN_SPREAD_MS: '400' });
  await terminal.says('Streamgate is ready');
  const pid = await postmaster();
  const client = await clientOf(terminal);
  const draining = client.waitFor('connection:draining');
  terminal.child.stdin?.write(CTRL_C);
  await draining;
  await expectCleanEnd(terminal);
  client.close();
  expect(isAlive(pid as number)).toBe(false);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'One %s to the process group of npm start, which npm forwards, ends the server in order (P12)',
  async (signal) => {
    const npm = run('npm', ['start', '--', dataDir], { SHUTDOWN_SPREAD_MS: '400' });
    await npm.says('Streamgate is ready');
    const client = await clientOf(npm);
    toGroup(npm, signal);
    await client.waitFor('connection:draining');
    await expectCleanEnd(npm);
    client.close();
  },
);

test('Signals that are repeated within two seconds, of whatever name, are the first one (P12)', async () => {
  const server = start({ SHUTDOWN_SPREAD_MS: '1500' });
  await server.says('Streamgate is ready');
  const client = await clientOf(server);
  // The terminal was closed.
  server.child.kill('SIGHUP');
  server.child.kill('SIGTERM');
  await client.waitFor('connection:draining');
  server.child.kill('SIGINT');
  server.child.kill('SIGHUP');
  await expectCleanEnd(server);
  client.close();
});

test('A signal more than two seconds after the first ends the process at once with 1, and its PostgreSQL (P12)', async () => {
  const server = start({ SHUTDOWN_SPREAD_MS: '20000', SHUTDOWN_GRACE_MS: '60000' });
  await server.says('Streamgate is ready');
  const client = await clientOf(server);
  server.child.kill('SIGTERM');
  await client.waitFor('connection:draining');
  const first = performance.now();
  await eventually(() => performance.now() - first > 2100, 'two seconds');
  server.child.kill('SIGINT');
  expect(await server.ended).toBe(1);
  expect(performance.now() - first).toBeLessThan(8000);
  expect(await postmaster()).toBeUndefined();
  client.close();
});

test('A process that cannot end within SHUTDOWN_GRACE_MS stops its PostgreSQL all the same (P12)', async () => {
  const server = start({ SHUTDOWN_SPREAD_MS: '0', SHUTDOWN_GRACE_MS: '100' });
  await server.says('Streamgate is ready');
  const client = await clientOf(server);
  const url = await embeddedUrl();
  const { Client } = await import('pg');
  const blocker = new Client({ connectionString: url });
  blocker.on('error', () => {});
  await blocker.connect();
  await blocker.query('begin');
  await blocker.query('lock table nodes in access exclusive mode');
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(1);
  expect(server.output()).toContain('did not end within SHUTDOWN_GRACE_MS.');
  expect(await postmaster()).toBeUndefined();
  client.close();
});

async function embeddedUrl(): Promise<string> {
  const [, , , port] = (await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n');
  const password = (await readFile(join(dataDir, 'postgres/streamgate.password'), 'utf8')).trim();
  return `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/streamgate`;
}

test('A Ctrl-C during the start, at whatever moment, leaves no PostgreSQL, and the next start works (P12)', async () => {
  const moments: ((startsBefore: number) => Promise<boolean>)[] = [
    async () => (await readdir(dataDir)).some((name) => name.startsWith('postgres.new-')),
    async () => (await postmaster()) !== undefined,
    // It has its database, and the service is being made.
    async (startsBefore) => (await databaseStarts()) > startsBefore,
  ];
  for (const moment of moments) {
    const before = await databaseStarts();
    const server = start();
    await eventually(() => moment(before), 'the moment');
    toGroup(server, 'SIGINT');
    toGroup(server, 'SIGINT');
    await expectCleanEnd(server);
    expect(server.output()).not.toMatch(/cannot start|error/i);
  }
  const server = start();
  await server.says('Streamgate is ready');
  server.child.kill('SIGTERM');
  await expectCleanEnd(server);
});

test('A Ctrl-C ends a start that waits for a database at once, with 0', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const server = start({ DATABASE_URL: `postgres://u:p@127.0.0.1:${port}/d`, LOG_LEVEL: 'info' });
  await once(silent, 'connection');
  const asked = performance.now();
  toGroup(server, 'SIGINT');
  expect(await server.ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(2000);
  expect(server.output()).not.toContain('cannot start');
  silent.close();
});

test('A Ctrl-C during an install or a build ends that too, and leaves no lock (P12)', async () => {
  const lock = join(dataDir, 'lock');
  const program = join(dataDir, 'launcher.mjs');
  const lib = join(ROOT, 'scripts/lib');
  // The step ends slowly, as npm does.
  const step = `process.on('SIGINT', () => setTimeout(() => process.exit(3), 300)); setInterval(() => {}, 1000); console.log('up');`;
  await writeFile(
    program,
    `import { launch } from ${JSON.stringify(join(lib, 'say.mjs'))};
     import { withLock } from ${JSON.stringify(join(lib, 'lock.mjs'))};
     import { runStep } from ${JSON.stringify(join(lib, 'run.mjs'))};
     await launch(() => withLock(${JSON.stringify(lock)}, async () => {
       if (process.argv[2] === 'step')
         await runStep(process.execPath, ['-e', ${JSON.stringify(step)}], { doing: 'Building', advice: () => 'Mend it.', cwd: '/' });
       process.stderr.write('between steps\\n');
       await new Promise((resolve) => setTimeout(resolve, 60_000));
     }));`,
  );
  for (const [place, said] of [
    ['step', 'Building …'],
    ['between', 'between steps'],
  ] as const) {
    const launcher = run(process.execPath, [program, place, dataDir]);
    await launcher.says(said);
    for (let copy = 0; copy < 3; copy += 1) launcher.child.kill('SIGINT');
    expect(await launcher.ended).toBe(130);
    expect(launcher.output()).not.toContain('failed');
    await expect(readFile(lock)).rejects.toMatchObject({ code: 'ENOENT' });
  }
});

test('npm start has a command for sh, which must not stay in between, and one for the shell of Windows, which has no exec', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const { start: main, ...others } = scripts;
  expect(main).toBe('exec node scripts/start.mjs || node scripts/start.mjs');
  for (const script of Object.values(others)) expect(script).not.toMatch(/\bexec\b|[;&|$'`]/);
});
