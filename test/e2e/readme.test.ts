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
async function run(file: string): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, out, err };
}

/** `GET /api/conversations/:id` and `get /api/conversations/{conversationId}` are the same route. */
function normalized(method: string, path: string): string {
  return `${method.toUpperCase()} ${path.replaceAll(/:\w+|\{\w+\}/g, ':x')}`;
}

/** Routes named on a page, without those of the API description, which does not describe itself. */
function routesOf(page: string): Set<string> {
  const named = page.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/(?:api\/|metrics)[^`?\s]*)`/g);
  const routes = [...named].map(([, method = '', path = '']) => normalized(method, path));
  return new Set(routes.filter((route) => !route.startsWith('GET /api/docs')));
}

/** Routes that a server describes itself, from `/api/docs-json`. */
async function describedRoutes(url: string): Promise<Set<string>> {
  const response = await fetch(`${url}/api/docs-json`);
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, unknown>> };
  return new Set(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => normalized(method, path)),
    ),
  );
}

describe('the documentation, held to a running server', () => {
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

  test("the README's first client runs as it stands, prints ack and answer, and ends by itself", async () => {
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

  test('the protocol page names every HTTP route that the server has, and no other', async () => {
    const documented = routesOf(await readPage('docs/protocol.md'));
    expect(documented).toEqual(await describedRoutes(server.url));
  });
});
