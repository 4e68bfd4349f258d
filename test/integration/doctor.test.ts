import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrations } from '../../migrations/index.js';
import { readConfig } from '../../src/platform/config/config.js';
import { checkDatabase } from '../../src/operations/doctor/database.store.js';
import { runDoctorCommand } from '../../src/operations/doctor/doctor.command.js';
import type { Finding } from '../../src/operations/doctor/finding.js';
import { checkDataDir, checkMachine, thisMachine } from '../../src/operations/doctor/machine.checks.js';
import { checkProvider } from '../../src/operations/doctor/provider.checks.js';
import { checkProduction, checkSecrets } from '../../src/operations/doctor/security.checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startLlmServer } from '../support/llm-server.js';
import { withClient } from '../support/with-client.js';

const RANDOM = randomBytes(32).toString('hex');

/** Levels by check; the worst of each. */
function levels(findings: readonly Finding[]): Record<string, string> {
  const order = ['ok', 'warn', 'fail'];
  const worst: Record<string, string> = {};
  for (const { check, level } of findings) {
    if (order.indexOf(level) >= order.indexOf(worst[check] ?? 'ok')) worst[check] = level;
  }
  return worst;
}

describe('secrets', () => {
  const look = (env: Record<string, string>) => levels(checkSecrets(readConfig(env)));

  it('pass when they look random', () => {
    expect(look({ AUTH_JWT_SECRET: RANDOM, METRICS_TOKEN: RANDOM })).toEqual({ secrets: 'ok' });
    expect(look({})).toEqual({});
  });

  it.each([
    'x'.repeat(64),
    'change-me-change-me-change-me-change-me',
    '0101010101010101010101010101010101010101',
  ])('fail when an attacker would try %s, which is not repeated', (secret) => {
    const findings = checkSecrets(readConfig({ AUTH_JWT_SECRET: `${RANDOM},${secret}` }));
    expect(findings.map(({ level }) => level)).toEqual(['ok', 'fail']);
    expect(JSON.stringify(findings)).not.toContain(secret);
    expect(JSON.stringify(findings)).not.toContain(RANDOM);
  });
});

describe('production', () => {
  const look = (env: Record<string, string>) =>
    checkProduction(readConfig({ AUTH_JWT_SECRET: RANDOM, ...env }))
      .map(({ message }) => message)
      .join(' ');

  it('passes with its defaults, and for a development server that is not exposed', () => {
    expect(look({ NODE_ENV: 'production' })).toBe('Every client needs a token.');
    expect(look({})).toContain('reachable from this machine only');
  });

  it.each([
    [{ HOST: '0.0.0.0' }, 'exposes a development server'],
    [{ NODE_ENV: 'production', HOST: '0.0.0.0' }, 'without TLS'],
    [{ NODE_ENV: 'production', GUEST_ACCESS: 'true' }, 'anyone may send messages'],
    [{ NODE_ENV: 'production', AUTH_REQUIRED: 'false' }, 'clients need no token'],
  ] as const)('warns of %j', (env, message) => {
    expect(look(env)).toContain(message);
  });
});

describe('the machine', () => {
  it('passes with room for MAX_CONNECTIONS and a plausible clock', async () => {
    const config = readConfig({ MAX_CONNECTIONS: '10' });
    const machine = { ...(await thisMachine()), files: 1024, memory: 2 ** 30 };
    expect(levels(checkMachine(config, machine))).toEqual({ clock: 'ok', 'open files': 'ok', memory: 'ok' });
  });

  it('gets a warning for too few files or too little memory, and fails with a wrong clock', () => {
    const machine = { now: 0, files: 1024, memory: 2 ** 27, isRoot: false };
    expect(levels(checkMachine(readConfig({}), machine))).toEqual({
      ...{ clock: 'fail', 'open files': 'warn', memory: 'warn' },
    });
  });
});

describe('the data folder', () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'streamgate-doctor-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const machine = { now: Date.now(), memory: 0, files: 0, isRoot: true };

  it('passes where it can be created, and gets a warning where only root may enter', async () => {
    const config = readConfig({ DATA_DIR: join(folder, 'new', 'data') });
    await chmod(folder, 0o755);
    expect((await checkDataDir(config, machine)).map(({ message }) => message).join()).not.toContain(
      'only root',
    );
    await chmod(folder, 0o700);
    const inside = readConfig({ DATA_DIR: join(folder, '.', 'x') });
    await writeFile(join(folder, 'x'), '').then(() => rm(join(folder, 'x')));
    expect(levels(await checkDataDir(inside, { ...machine, isRoot: false }))).toEqual({
      'data folder': 'ok',
    });
  });

  it('fails where it is a file', async () => {
    await writeFile(join(folder, 'file'), '');
    const config = readConfig({ DATA_DIR: join(folder, 'file') });
    expect(levels(await checkDataDir(config, machine))).toEqual({ 'data folder': 'fail' });
  });
});

describe('the database', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await createTestDatabase()));
  afterAll(() => database.drop());
  const look = (url = database.url) => checkDatabase({ url, poolSize: 10, migrations });

  it('passes when it is migrated and the user owns it', async () => {
    const names = ['database', 'migrations', 'privileges', 'database clock', 'database connections'];
    expect(levels(await look())).toEqual(Object.fromEntries(names.map((name) => [name, 'ok'])));
  });

  it('is warned of when two servers use it, and not when one of two leases is over', async () => {
    await withClient(database.url, (client) =>
      client.query(`insert into nodes values ('one', now() + interval '1 minute'), ('old', now())`),
    );
    expect(levels(await look())).not.toHaveProperty('servers');
    await withClient(database.url, (client) =>
      client.query(`insert into nodes values ('two', now() + interval '1 minute')`),
    );
    expect((await look()).find(({ check }) => check === 'servers')).toMatchObject({
      level: 'warn',
      message: '2 servers use this database, and no relay connects them.',
    });
    await withClient(database.url, (client) => client.query('delete from nodes'));
  });

  it('names the migrations that are not applied', async () => {
    await withClient(database.url, (client) =>
      client.query(`delete from migrations where name like 'Users%'`),
    );
    const pending = (await look()).find(({ check }) => check === 'migrations');
    expect(pending).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/applies Users\d+\.$/) as string,
    });
  });

  it('fails where a newer version has migrated it', async () => {
    await withClient(database.url, (client) =>
      client.query(`insert into migrations (timestamp, name) values (9000000000000, 'Later9000000000000')`),
    );
    expect((await look()).find(({ check }) => check === 'migrations')).toMatchObject({
      level: 'fail',
      message: 'A newer Streamgate has migrated the database (Later9000000000000).',
    });
    await withClient(database.url, (client) =>
      client.query(`delete from migrations where name like 'Later%'`),
    );
  });

  it('fails for a user without the right to write or create', async () => {
    const role = `doctor_${randomBytes(4).toString('hex')}`;
    const url = new URL(database.url);
    await withClient(database.url, (client) =>
      client.query(`create role ${role} login password 'weak'; grant select on migrations to ${role}`),
    );
    try {
      [url.username, url.password] = [role, 'weak'];
      expect(levels(await look(url.href))).toMatchObject({ migrations: 'fail', privileges: 'fail' });
    } finally {
      await withClient(database.url, (client) => client.query(`drop owned by ${role}; drop role ${role}`));
    }
  });

  it('fails without a listener, and does not show the password', async () => {
    const findings = await look('postgres://someone:hunter2@127.0.0.1:9/none');
    expect(levels(findings)).toEqual({ database: 'fail' });
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });
});

describe('the provider', () => {
  it('passes as the guide, and as a model that answers', async () => {
    expect(levels(await checkProvider(readConfig({})))).toEqual({ provider: 'ok' });
    const llm = await startLlmServer();
    const config = readConfig({ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:3' });
    // Its list of models is none: /models is not spoken there.
    expect(levels(await checkProvider(config))).toEqual({ provider: 'ok' });
    await llm.close();
  });

  it.each(['status:401', 'stall:none'])('fails where the model does %s, without its key', async (model) => {
    const llm = await startLlmServer();
    const key = 'sk-not-to-be-shown';
    const config = readConfig({ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: model, LLM_API_KEY: key });
    const findings = await checkProvider(config, 500);
    expect(levels(findings)).toEqual({ provider: 'fail' });
    expect(JSON.stringify(findings)).not.toContain(key);
    await llm.close();
  });
});

describe('the provider, told to the operator', () => {
  async function messageFor(
    model: string,
    { models, path = '/v1' }: { models?: string[]; path?: string } = {},
  ) {
    const llm = await startLlmServer(models && { models });
    const baseUrl = llm.baseUrl.replace('/v1', path);
    const config = readConfig({
      LLM_BASE_URL: baseUrl,
      LLM_MODEL: model,
      NODE_ENV: 'production',
      AUTH_JWT_SECRET: RANDOM,
    });
    const findings = await checkProvider(config, 5000);
    const asked = llm.requests.length;
    await llm.close();
    return { said: findings.map(({ message }) => message).join(' '), asked };
  }

  it("has the server's own sentence, and one request", async () => {
    const { said, asked } = await messageFor('status:503');
    expect(said).toContain('(HTTP 503): Refused: What is Streamgate?');
    expect(asked).toBe(1);
  });

  it('says that a silent server may be loading its model', async () => {
    const llm = await startLlmServer();
    const config = readConfig({ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'stall:none' });
    const findings = await checkProvider(config, 300);
    expect(findings[0]?.remedy).toContain('If it is loading the model');
    await llm.close();
  });

  it('names a forgotten /v1 as the likely cause of a 404', async () => {
    expect((await messageFor('status:404', { path: '/api' })).said).toContain(
      'LLM_BASE_URL does not end with /v1',
    );
    expect((await messageFor('status:404')).said).not.toContain('LLM_BASE_URL does not');
  });

  it('names a model that the server does not list', async () => {
    const { said, asked } = await messageFor('words:3', { models: ['other'] });
    expect([said, asked]).toEqual(['The server of LLM_BASE_URL does not list words:3.', 0]);
    expect((await messageFor('words:3', { models: ['words:3:latest'] })).said).toContain('It answers');
  });
});

describe('npm run doctor', () => {
  async function run(args: string[], env: Record<string, string> = {}) {
    const out: string[] = [];
    const code = await runDoctorCommand(
      args,
      (text) => out.push(text),
      () => readConfig(env),
    );
    return { code, text: out.join('\n') };
  }

  it('writes a line for each finding, and ends with 1 where one fails', async () => {
    const well = await run([], { DATA_DIR: tmpdir(), AUTH_JWT_SECRET: RANDOM });
    expect(well).toMatchObject({
      code: 0,
      text: expect.stringContaining('ok    provider: It answers: guide') as string,
    });
    const ill = await run([], { DATA_DIR: tmpdir(), AUTH_JWT_SECRET: 'x'.repeat(40) });
    expect(ill).toMatchObject({
      code: 1,
      text: expect.stringMatching(/^fail  secrets: .+openssl/m) as string,
    });
  });

  it('names every fault of the configuration, and writes JSON for machines', async () => {
    const { code, text } = await run(['--json'], { PORT: 'x', LOG_LEVEL: 'loud' });
    const { ok, findings } = JSON.parse(text) as { ok: boolean; findings: Finding[] };
    expect([code, ok, findings.map(({ message }) => message.split(' ')[0])]).toEqual([
      1,
      false,
      ['PORT', 'LOG_LEVEL'],
    ]);
  });

  it.each([[['--nonsense']], [['--url', 'chat.example.com']]])('says how it is used for %j', async (args) => {
    expect(await run(args)).toMatchObject({ code: 2, text: expect.stringContaining('Usage') as string });
  });
});
