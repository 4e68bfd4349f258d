import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tokenFor } from '../support/client.js';
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

interface Described {
  info: { version: string };
  paths: Record<string, Record<string, { requestBody?: BodyDescribed }>>;
  components: { schemas: Record<string, { examples?: object[] }> };
}

interface BodyDescribed {
  content: { 'application/json': { schema: { $ref: string } } };
}

/** What a server says of its routes. */
async function describedBy(url: string): Promise<Described> {
  const response = await fetch(`${url}/api/docs-json`);
  return (await response.json()) as Described;
}

/** The example of each route that takes a body, as Swagger UI sends it, by method and path. */
function examplesOf({ paths, components }: Described): Map<string, object | undefined> {
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) => {
      const name = requestBody?.content['application/json'].schema.$ref.split('/').at(-1);
      return name === undefined ? [] : [[`${method.toUpperCase()} ${path}`, name] as const];
    }),
  );
  return new Map(routes.map(([route, name]) => [route, components.schemas[name]?.examples?.[0]]));
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
    const { paths } = await describedBy(server.url);
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => normalized(method, path)),
    );
    expect(documented).toEqual(new Set(described));
  });

  test('OpenAPI, AsyncAPI and the health have the version of package.json', async () => {
    const { version } = JSON.parse(await readPage('package.json')) as { version: string };
    const paths = ['/api/docs-json', '/api/asyncapi-json', '/api/ws/health'];
    const [routes, events, health] = await Promise.all(
      paths.map(async (path) => (await fetch(server.url + path)).json()),
    );
    expect(routes).toMatchObject({ info: { version } });
    expect(events).toMatchObject({ info: { version } });
    expect(health).toMatchObject({ details: { process: { version } } });
  });

  test('the body that the API docs offer for a route is taken as it is', async () => {
    const examples = examplesOf(await describedBy(server.url));
    expect(examples.size).toBeGreaterThan(8);
    const token = await tokenFor('eve', { roles: ['admin'] });
    const send = async (route: string): Promise<number> => {
      const [method = '', path = ''] = route.split(' ');
      const response = await fetch(
        server.url + path.replaceAll('{id}', 'example').replaceAll(/\{\w+\}/g, 'eve'),
        {
          method,
          headers: {
            'content-type': 'application/json',
            // A token that is sent there is one to renew.
            ...(route !== 'POST /api/auth/guest' && { authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify(examples.get(route)),
        },
      );
      await response.text();
      return response.status;
    };
    // Each needs what those before it made.
    const first = ['POST /api/conversations', 'POST /api/conversations/{id}/messages'];
    const statuses = new Map<string, number>();
    for (const route of new Set([...first, ...examples.keys()])) statuses.set(route, await send(route));
    // It is for an answer of one's own, whose id no example can know.
    expect(statuses.get('POST /api/auth/ticket')).toBe(404);
    statuses.delete('POST /api/auth/ticket');
    expect([...statuses].filter(([, status]) => status >= 300)).toEqual([]);
  });
});
