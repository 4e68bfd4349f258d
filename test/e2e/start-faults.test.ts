import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.js';
import { startServer } from '../support/server.js';

const DOCTOR = join(import.meta.dirname, '../../scripts/doctor.mjs');

/** What a server says that cannot start with `env`. */
async function refusalOf(env: Record<string, string>): Promise<string> {
  const database = await createTestDatabase();
  try {
    const error: unknown = await startServer({ databaseUrl: database.url, env }).catch(
      (fault: unknown) => fault,
    );
    return (error as Error).message;
  } finally {
    await database.drop();
  }
}

test.each([
  ['', {}],
  [', with those of variables', { LOG_LEVEL: 'loud' }],
])('All faults of keys and certificates are named at once, in sentences%s', async (_with, env) => {
  const tls = { TLS_CERT_FILE: '/none/cert.pem', TLS_KEY_FILE: '/none/key.pem' };
  const said = await refusalOf({ ...tls, AUTH_JWT_SECRET: '', AUTH_JWT_PUBLIC_KEY: 'malformed', ...env });
  expect(said).toContain('TLS_CERT_FILE cannot be read');
  expect(said).toContain('TLS_KEY_FILE cannot be read');
  expect(said).toContain('AUTH_JWT_PUBLIC_KEY must be one or more keys');
  for (const name of Object.keys(env)) expect(said).toContain(`${name} must be`);
  expect(said).not.toMatch(/^\s+at /m);
});

test('A refused secret makes no other one in DATA_DIR', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-faults-'));
  expect(await refusalOf({ AUTH_JWT_SECRET: 'short', DATA_DIR: dataDir })).toContain('has 1 fault(s)');
  expect(await readdir(dataDir)).toEqual([]);
  await rm(dataDir, { recursive: true, force: true });
});

test('A port in use is reported with what to do about it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  const said = await refusalOf({ PORT: String(port) });
  other.close();
  expect(said).toContain(`Streamgate cannot start. PORT ${port} is in use`);
});

test('An invalid host is reported as such', async () => {
  expect(await refusalOf({ HOST: '192.0.2.1' })).toContain('HOST 192.0.2.1 is no address of this machine.');
});

test('The doctor says that a model does not answer, also where it is asked again', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-doctor-'));
  const env = {
    ...{ PATH: process.env['PATH'], DATA_DIR: dataDir, PROVIDER_RETRIES: '1' },
    ...{ LLM_BASE_URL: 'http://127.0.0.1:9/v1', LLM_MODEL: 'm' },
  };
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, [DOCTOR], { env, cwd: dataDir }, (error, stdout) =>
      resolve({ code: error?.code, output: stdout }),
    );
  });
  await rm(dataDir, { recursive: true, force: true });
  expect(output).toContain('fail  provider: It does not answer');
  expect(code).toBe(1);
});
