import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT, readPage } from '../support/pages.js';
import { startServer } from '../support/server.js';

const NAME = 'first-client.mjs';
const EXAMPLE_URL = 'http://127.0.0.1:3000';
const DEADLINE_MS = 20_000;

/** The README's first client as a reader would save it, but for the server's address. */
async function firstClient(url: string): Promise<string> {
  const readme = await readPage('README.md');
  const block = readme.split(`\`\`\`js ${NAME}\n`)[1]?.split('\n```')[0];
  if (!block?.includes(EXAMPLE_URL)) throw new Error(`README.md has no ${NAME} that asks ${EXAMPLE_URL}.`);
  return block.replaceAll(EXAMPLE_URL, url);
}

/** Runs `file` with Node as a reader would, and gives what it printed. */
async function run(file: string): Promise<{ code: unknown; out: string; err: string }> {
  const child = spawn(process.execPath, [file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
  });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, out, err };
}

describe("the README's first client", () => {
  // In the project's folder, as the README says: Node finds socket.io-client from there.
  const file = join(ROOT, `.readme-${process.pid}-${NAME}`);
  let server: Awaited<ReturnType<typeof startServer>>;

  beforeAll(async () => {
    server = await startServer({ env: { GUIDE_WORDS_PER_SECOND: '0' } });
  });

  afterAll(async () => {
    await rm(file, { force: true });
    await server?.stop();
  });

  test('runs as it stands, prints the ack and a whole answer, and ends by itself', async () => {
    await writeFile(file, await firstClient(server.url));
    const { code, out, err } = await run(file);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('ok: true');
    expect(out).toMatch(/streamId: '[0-9a-f-]{36}'/);
    const answer = out.replace(/\{\n[^]*?\n\}\n/, '');
    expect(answer).toContain('Streamgate');
    expect(answer.length).toBeGreaterThan(100);
  });

  test('is ten lines or so, as the README promises', async () => {
    const lines = (await firstClient(EXAMPLE_URL)).split('\n').filter((line) => line.trim() !== '');
    expect(lines.length).toBeLessThanOrEqual(20);
  });
});
