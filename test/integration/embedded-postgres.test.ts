import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/platform/database/embedded-postgres.js';
import { StartError } from '../../src/platform/database/start-error.js';
import { withClient } from '../support/with-client.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const FAST = { fsync: 'off' };

let dataDir: string;
let servers: EmbeddedPostgres[];

beforeEach(async () => {
  servers = [];
  dataDir = await mkdtemp(join(tmpdir(), 'streamgate-embedded-'));
  await chmod(dataDir, 0o755);
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(dataDir, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, log: QUIET, settings: FAST, ...options });
  servers.push(server);
  return server;
}

async function refusal(options: Partial<EmbeddedPostgresOptions> = {}): Promise<string> {
  const error = await start(options).catch((fault: unknown) => fault);
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
}

describe('an embedded PostgreSQL', () => {
  it('keeps its data over a stop, starts again within a second, and leaves no process', async () => {
    const first = await start();
    await withClient(first.url, (client) => client.query('create table kept as select 42 as answer'));
    await first.stop();
    await first.stop();
    await expect(new Client({ connectionString: first.url }).connect()).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
    const began = performance.now();
    const second = await start();
    expect(performance.now() - began).toBeLessThan(1000);
    const rows = await withClient(second.url, (client) => client.query('select answer from kept'));
    expect(rows.rows).toEqual([{ answer: 42 }]);
  });

  it('listens on this machine alone, with a password that only its owner may read', async () => {
    const { url } = await start();
    const shown = await withClient(url, (client) =>
      client.query(
        `select current_setting('listen_addresses') as listen, current_setting('unix_socket_directories') as sockets`,
      ),
    );
    expect(shown.rows).toEqual([{ listen: '127.0.0.1', sockets: '' }]);
    const file = join(dataDir, 'postgres/streamgate.password');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(new URL(url).password).toBe((await readFile(file, 'utf8')).trim());
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(new Client({ connectionString: wrong.href }).connect()).rejects.toMatchObject({
      code: '28P01',
    });
  });

  it('refuses a second start in the same folder, names the first, and lets the first be', async () => {
    const first = await start();
    expect(await refusal()).toContain(`Another Streamgate (pid ${process.pid})`);
    const rows = await withClient(first.url, (client) => client.query('select 1 as one'));
    expect(rows.rows).toEqual([{ one: 1 }]);
  });
});

describe('an embedded PostgreSQL says what to do', () => {
  it('when the folder was made by another major version, and changes nothing', async () => {
    const folder = join(dataDir, 'postgres');
    await mkdir(folder);
    await writeFile(join(folder, 'PG_VERSION'), '15\n');
    expect(await refusal()).toMatch(/made by PostgreSQL 15.*dump/);
    expect(await readdir(dataDir)).toEqual(['postgres']);
    expect(await readdir(folder)).toEqual(['PG_VERSION']);
  });

  it('when the folder holds something else', async () => {
    await mkdir(join(dataDir, 'postgres'));
    await writeFile(join(dataDir, 'postgres/letter.txt'), 'dear');
    expect(await refusal()).toContain('holds something that is not a PostgreSQL data folder');
    expect(await readdir(dataDir)).toEqual(['postgres']);
  });

  it('when the password is gone', async () => {
    const server = await start();
    await server.stop();
    await rm(join(dataDir, 'postgres/streamgate.password'));
    expect(await refusal()).toContain('streamgate.password is missing');
  });

  it('when DATA_DIR cannot be a folder', async () => {
    await writeFile(join(dataDir, 'file'), '');
    expect(await refusal({ dataDir: join(dataDir, 'file/data') })).toMatch(/DATA_DIR .*ENOTDIR/);
  });

  it('when PostgreSQL itself does not start, with its last words', async () => {
    expect(await refusal({ settings: { shared_buffers: 'plenty' } })).toMatch(
      /did not start; .*postgres\.log ends with:\n.*shared_buffers/s,
    );
  });

  it('when its programs do not run', async () => {
    expect(await refusal({ native: join(dataDir, 'nothing'), caches: [] })).toContain('set DATABASE_URL');
  });
});
