import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { authUnder, SECRET, temporaryFolder } from '../support/auth.js';
import { ROOT } from '../support/pages.js';
import { pythonPath } from '../support/requirements.js';
import { samplesOf } from '../support/samples.js';

const run = promisify(execFile);
const FAQ = await samplesOf('docs/faq.md');
const INSTALL = await samplesOf('docs/install.md');
const BACKEND = 'How do I make a token for my users in my own backend (Node, Python, PHP)?';
const PRIVATE_KEY = 'Sign tokens with a private key of my own (public key)';
const PATH = process.env['PATH'] ?? '';

function sample(samples: typeof FAQ, title: string, language: string): string {
  const found = samples.find((one) => one.title === title && one.language === language);
  if (!found) throw new Error(`There is no ${language} under “${title}”.`);
  return found.code;
}

/** Expects that a server with `env` takes the token for what the sample is called with. */
async function expectAlice(token: string, env: Record<string, string>): Promise<void> {
  const principal = await (await authUnder(env)).verifier.verify(token);
  expect(principal).toMatchObject({ userId: 'alice', name: 'Alice', isAdmin: false, guest: false });
  expect(principal.expiresAt / 1000 - Date.now() / 1000).toBeCloseTo(3600, -1);
}

describe('the samples that sign tokens, run as they are written', () => {
  // In the project's folder, where Node finds jose.
  const file = join(ROOT, `.sample-${process.pid}.mjs`);
  afterEach(() => rm(file, { force: true }));

  async function runNode(code: string, cwd: string): Promise<string> {
    const call = `process.stdout.write(await streamgateToken({ id: 'alice', name: 'Alice' }));`;
    await writeFile(file, `${code}\n${call}`);
    const env = { PATH, AUTH_JWT_SECRET: SECRET };
    return (await run(process.execPath, [file], { cwd, env })).stdout;
  }

  test('Node, with a shared secret', async () => {
    await expectAlice(await runNode(sample(FAQ, BACKEND, 'js'), ROOT), { AUTH_JWT_SECRET: SECRET });
  });

  test('Node, with a private key that is made as the page says', async () => {
    const folder = temporaryFolder();
    const shell = sample(INSTALL, PRIVATE_KEY, 'sh');
    expect(shell).toContain('AUTH_JWT_PUBLIC_KEY="$(cat token.pub)" npm start');
    await run('sh', ['-c', shell.replace('npm start', 'true')], { cwd: folder });
    const token = await runNode(sample(INSTALL, PRIVATE_KEY, 'js'), folder);
    await expectAlice(token, { AUTH_JWT_PUBLIC_KEY: await readFile(join(folder, 'token.pub'), 'utf8') });
  });

  test.skipIf(pythonPath() === undefined)('Python, with a shared secret', async () => {
    const python = pythonPath() as string;
    const code = `${sample(FAQ, BACKEND, 'python')}\nprint(streamgate_token('alice', 'Alice'), end='')`;
    const { stdout } = await run(python, ['-c', code], { env: { PATH, AUTH_JWT_SECRET: SECRET } });
    await expectAlice(stdout, { AUTH_JWT_SECRET: SECRET });
  });
});
