import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/platform/database/embedded-postgres.js';
import { findPostmaster, stopPostmaster } from '../../src/platform/database/embedded/postmaster.js';
import { isAlive } from '../../src/platform/database/embedded/processes.js';
import { type EmbeddedProcess, runProgram } from '../support/embedded-process.js';
import { buildProgram, removePrograms } from '../support/programs.js';
import { withClient } from '../support/with-client.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
const logged: [text: string, fields?: object][] = [];
const LOG = {
  info: (...line: [text: string, fields?: object]) => logged.push(line),
  warn: () => {},
  error: () => {},
};

let program: string;
let seed: string;
let dataDir: string;
let processes: EmbeddedProcess[];
let servers: EmbeddedPostgres[];

beforeAll(async () => {
  program = await buildProgram('test/support/embedded-program.ts');
  seed = await mkdtemp(join(tmpdir(), 'streamgate-seed-'));
  const server = await startEmbeddedPostgres({ dataDir: seed, log: LOG });
  await withClient(server.url, (client) => client.query('create table kept as select 42 as answer'));
  await server.stop();
});

afterAll(async () => {
  await removePrograms();
  await rm(seed, { recursive: true, force: true });
});

/** Puts a data folder with something to remember in place: copying one is quicker than making one. */
async function plant(): Promise<void> {
  await promisify(execFile)('cp', ['-a', join(seed, 'postgres'), dataDir]);
}

beforeEach(async () => {
  logged.length = 0;
  processes = [];
  servers = [];
  // Only its owner may enter a temporary folder: as root, these tests are those of a clone in root's home, too.
  dataDir = await realpath(await mkdtemp(join(tmpdir(), 'streamgate-crash-')));
});

afterEach(async () => {
  await Promise.all(processes.map((one) => one.kill()));
  await Promise.all(servers.map((server) => server.stop()));
  // What a test that failed, or killed the owner, left running.
  const left = await findPostmaster(join(dataDir, 'postgres'), join(dataDir, 'postgres.log'));
  if (left) await stopPostmaster(left);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

async function start(): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, log: LOG });
  servers.push(server);
  return server;
}

function run(options: object = {}, user?: { uid: number; gid: number }): EmbeddedProcess {
  const one = runProgram(program, { dataDir, ...options }, user);
  processes.push(one);
  return one;
}

async function runUp(options: object = {}, user?: { uid: number; gid: number }) {
  const one = run(options, user);
  const { url, error } = await one.said;
  if (!url) throw new Error(error);
  return { ...one, url };
}

async function postmasterPid(): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => '');
  return Number(text.split('\n')[0]) || undefined;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${condition.toString()}`);
    await delay(5);
  }
}

async function remember(url: string): Promise<void> {
  await withClient(url, (client) => client.query('create table kept as select 42 as answer'));
}

async function expectRemembered(url: string): Promise<void> {
  const { rows } = await withClient(url, (client) => client.query('select answer from kept'));
  expect(rows).toEqual([{ answer: 42 }]);
}

describe('after kill -9 of the process', () => {
  it('the next start takes over the PostgreSQL that still runs, and its stop ends it', async () => {
    await plant();
    const first = await runUp();
    const pid = (await postmasterPid())!;
    await first.kill();
    expect(isAlive(pid)).toBe(true);
    const second = await start();
    expect(await postmasterPid()).toBe(pid);
    expect(logged).toContainEqual(['took over a running PostgreSQL', { pid }]);
    await expectRemembered(second.url);
    await second.stop();
    await until(() => !isAlive(pid));
  });

  it('in the middle of creating the data folder, the next start makes a whole one and tidies up', async () => {
    const first = run();
    first.said.catch(() => {});
    await until(async () => (await readdir(dataDir)).some((name) => name.startsWith('postgres.new-')));
    await first.kill();
    expect(await readdir(dataDir)).not.toContain('postgres');
    await remember((await start()).url);
    expect((await readdir(dataDir)).toSorted()).toEqual(['postgres', 'postgres.log']);
  });

  it('and of PostgreSQL, the next start waits for the orphans that still use the folder, and recovers', async () => {
    await plant();
    const first = await runUp();
    const pid = (await postmasterPid())!;
    const client = new Client({ connectionString: first.url });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const orphan = rows[0]!.pid;
    process.kill(orphan, 'SIGSTOP');
    await first.kill();
    process.kill(pid, 'SIGKILL');
    const starting = start();
    const log = join(dataDir, 'postgres.log');
    try {
      await until(async () => (await readFile(log, 'utf8')).includes('shared memory block'));
    } finally {
      process.kill(orphan, 'SIGCONT');
    }
    await expectRemembered((await starting).url);
    expect(await postmasterPid()).not.toBe(pid);
  });
});

describe('under a process that goes on', () => {
  beforeEach(plant);

  /** Whether another process that wants the folder is refused. */
  async function isOurs(): Promise<boolean> {
    const other = run();
    const { error } = await other.said;
    await other.kill();
    return error?.includes(`Another Streamgate (pid ${process.pid})`) ?? false;
  }

  it('a PostgreSQL that was killed runs again at the same address, and its stop ends it', async () => {
    const server = await start();
    const pid = (await postmasterPid())!;
    process.kill(pid, 'SIGKILL');
    await until(() => logged.some(([text]) => text === 'restarted the embedded PostgreSQL'));
    await expectRemembered(server.url);
    expect(await postmasterPid()).not.toBe(pid);
    const revived = (await postmasterPid())!;
    await server.stop();
    expect(isAlive(revived)).toBe(false);
  });

  it('one that lost a session, and all others with it, is still its own', async () => {
    const server = await start();
    const pid = await postmasterPid();
    const { rows } = await withClient(server.url, (client) =>
      client.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name like 'streamgate owner %'`,
      ),
    );
    process.kill(rows[0]!.pid, 'SIGKILL');
    await until(() => logged.some(([text]) => text === 'restarted the embedded PostgreSQL'));
    expect([await postmasterPid(), await isOurs()]).toEqual([pid, true]);
    await expectRemembered(server.url);
  });
});

describe('a postmaster.pid that a crash of the machine left', () => {
  async function crashed(pid: number): Promise<void> {
    const server = await start();
    const file = join(dataDir, 'postgres/postmaster.pid');
    const lines = (await readFile(file, 'utf8')).replace(/^\d+/, String(pid));
    await server.stop();
    await writeFile(file, lines);
    const { uid, gid } = await stat(join(dataDir, 'postgres'));
    await chown(file, uid, gid);
  }

  beforeEach(plant);

  it('does not matter when its process is gone', async () => {
    const gone = spawn('true');
    await once(gone, 'exit');
    await crashed(gone.pid!);
    await expectRemembered((await start()).url);
  });

  it("does not matter when its number is some other program's now, which is left alone", async () => {
    // The same user's: only such a one does PostgreSQL itself take for a running server.
    const { uid, gid } = await stat(join(dataDir, 'postgres'));
    const other = spawn('sleep', ['60'], isRoot ? { uid, gid } : {});
    try {
      await once(other, 'spawn');
      await crashed(other.pid!);
      await expectRemembered((await start()).url);
      expect(isAlive(other.pid!)).toBe(true);
    } finally {
      other.kill();
    }
  });
});

it('of two that start at once in a new folder, one runs and the other names it', async () => {
  const both = [run(), run()];
  const said = await Promise.all(both.map((one) => one.said));
  const winner = said.findIndex(({ url }) => url !== undefined);
  expect(said[winner]?.url).toBeDefined();
  expect(said[1 - winner]?.error).toContain(`Another Streamgate (pid ${both[winner]?.pid})`);
  await remember(said[winner]!.url!);
});

it('a Ctrl-C at the terminal does not reach PostgreSQL before its owner stops it', async () => {
  await plant();
  const first = await runUp();
  const pid = (await postmasterPid())!;
  process.kill(-first.pid, 'SIGINT');
  await expectRemembered(first.url);
  first.child.stdin!.write('stop\n');
  const [code] = (await once(first.child, 'exit')) as [number];
  expect(code).toBe(0);
  expect(isAlive(pid)).toBe(false);
});

describe.runIf(isRoot)('as root', () => {
  it('runs from programs and data that only root may enter, changing no permissions', async () => {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const platform = dirname(
      dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
    );
    const clone = join(dataDir, 'clone');
    const cache = await mkdtemp(join(tmpdir(), 'streamgate-cache-'));
    await chmod(cache, 0o755);
    try {
      await mkdir(clone, { mode: 0o700 });
      await cp(platform, clone, { recursive: true, verbatimSymlinks: true });
      await chmod(clone, 0o700);
      const server = await startEmbeddedPostgres({
        dataDir,
        log: LOG,
        native: join(clone, 'native'),
        caches: [cache],
      });
      servers.push(server);
      await remember(server.url);
      expect((await stat(clone)).mode & 0o777).toBe(0o700);
      expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
      expect(await readdir(cache)).toHaveLength(1);
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  });

  it("goes on with a folder that came back as root's own", async () => {
    await plant();
    await promisify(execFile)('chown', ['-R', '0:0', join(dataDir, 'postgres')]);
    await expectRemembered((await start()).url);
  });
});

describe.runIf(isRoot)('as an ordinary user', () => {
  it('runs, and root goes on in the same folder as that user', async () => {
    await chown(dataDir, NOBODY.uid, NOBODY.gid);
    const first = await runUp({}, NOBODY);
    await remember(first.url);
    await first.kill();
    await expectRemembered((await start()).url);
    expect((await stat(join(dataDir, 'postgres'))).uid).toBe(NOBODY.uid);
  });

  it('says so when the folder is not writable', async () => {
    await chmod(dataDir, 0o755);
    const { error } = await run({}, NOBODY).said;
    expect(error).toMatch(/DATA_DIR .*EACCES.*make it writable/);
  });

  it("says so when the data is another user's", async () => {
    await plant();
    await chmod(dataDir, 0o777);
    const { error } = await run({}, NOBODY).said;
    expect(error).toMatch(/cannot use .*postgres.*EACCES/);
  });
});
