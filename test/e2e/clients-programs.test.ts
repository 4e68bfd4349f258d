import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Chunk } from '../../src/protocol/index.js';
import { TestClient, tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { wordsText } from '../support/llm-behaviour.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { pythonPath } from '../support/requirements.js';
import { SAMPLE_URL, samplesOf } from '../support/samples.js';
import { startServer, type TestServer } from '../support/server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const SAMPLES = (await samplesOf('docs/clients.md')).filter(({ language }) => language !== 'js');
const DEADLINE_MS = 25_000;
const covered = new Set<string>();

describe('the shell and Python of docs/clients.md, run as they are written', () => {
  let llm: LlmServer;
  let server: TestServer;
  let proxy: TcpProxy;
  let client: TestClient;
  let folder: string;

  beforeAll(async () => {
    llm = await startLlmServer();
    server = await startServer({ env: { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:60:40' } });
    proxy = await startTcpProxy(server.url);
    client = await TestClient.connect(server.url, 'me');
    folder = await mkdtemp(join(tmpdir(), 'streamgate-samples-'));
  });

  afterAll(async () => {
    client?.close();
    await proxy?.close();
    await server?.stop();
    await llm?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The sample with this title, as it is written but for the server's address. */
  function sample(title: string, language = 'sh'): string {
    covered.add(title);
    const found = SAMPLES.find((one) => one.title === title && one.language === language);
    if (!found) throw new Error(`docs/clients.md has no ${language} under “${title}”.`);
    return found.code.replaceAll(SAMPLE_URL, proxy.url);
  }

  async function run(
    program: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; out: string; err: string }> {
    const { PATH = '' } = process.env;
    const child = spawn(program, args, {
      cwd: folder,
      env: { PATH, TOKEN: await tokenFor('me'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
    });
    const closed = once(child, 'close') as Promise<[number | null]>;
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code, out, err };
  }

  async function ask(conversationId: string): Promise<string> {
    await client.ask('conversation:join', { conversationId });
    const question = { conversationId, clientMessageId: crypto.randomUUID(), content: 'go' };
    return (await client.ask('message:send', question)).streamId as string;
  }

  test('creates a conversation, sends and reads over HTTP', async () => {
    const { code, out } = await run('sh', ['-c', sample('Use plain HTTP')]);
    expect(code).toBe(0);
    expect(out).toContain('"messages":[{');
    expect(out).toContain('"content":"What is Streamgate?"');
  });

  test('asks over SSE, and gets the answer to its end', async () => {
    await client.ask('conversation:join', { conversationId: 'team' });
    const { code, out } = await run('sh', ['-c', sample('Stream an answer with Server-Sent Events')]);
    expect(code).toBe(0);
    expect(out).toContain('event: complete');
  });

  test('reads NDJSON with curl over cuts, each chunk once', async () => {
    const STREAM_ID = await ask('curl');
    const running = run('sh', ['-c', sample('Stream an answer as NDJSON, one JSON a line')], { STREAM_ID });
    const file = join(folder, 'answer.ndjson');
    await eventually(
      async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').length > 5,
      'the first chunks',
    );
    proxy.cut();
    proxy.mend();
    expect((await running).code).toBe(0);
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const chunks = lines.map((line) => JSON.parse(line) as Chunk).filter(({ sequence }) => sequence >= 0);
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
    const content = chunks.filter(({ type }) => type === 'content').map((chunk) => chunk.content);
    expect(content.join('')).toBe(wordsText(60));
  });

  test.each([
    ['401', { TOKEN: 'wrong' }],
    ['404', { STREAM_ID: crypto.randomUUID() }],
  ])('stops reading with curl at %s', async (status, env) => {
    const code = sample('Stream an answer as NDJSON, one JSON a line');
    const ended = await run('sh', ['-c', code], { STREAM_ID: crypto.randomUUID(), ...env });
    expect(ended.code).toBe(1);
    expect(ended.err).toContain(`stopped: HTTP/1.1 ${status}`);
  });

  test('lets the page of a development server connect with the variable that the page names', async () => {
    const title = 'Connect from a page on another origin: CORS, development server';
    const [, name = '', origin = ''] = /^(\w+)=(\S+) npm start\n$/.exec(sample(title)) ?? [];
    const open = await startServer({ env: { [name]: origin } });
    const preflight = { Origin: origin, 'Access-Control-Request-Method': 'POST' };
    const allowed = async (url: string): Promise<string | null> =>
      (await fetch(`${url}/api/auth/guest`, { method: 'OPTIONS', headers: preflight })).headers.get(
        'access-control-allow-origin',
      );
    const connect = (url: string): Promise<TestClient> =>
      TestClient.connect(url, 'me', { extraHeaders: { Origin: origin } });
    expect([await allowed(open.url), await allowed(server.url)]).toEqual([origin, null]);
    (await connect(open.url)).close();
    await expect(connect(server.url)).rejects.toThrow('websocket error');
    await open.stop();
  });

  test.skipIf(pythonPath() === undefined)('asks from Python', async () => {
    const code = sample('Connect from Python, Swift, Kotlin or Flutter', 'python');
    const program = `token = ${JSON.stringify(await tokenFor('me'))}\n${code}`;
    const ended = await run(pythonPath() as string, ['-c', program]);
    expect([ended.code, ended.out], ended.err).toEqual([0, expect.stringContaining(wordsText(60))]);
    expect(ended.out).toContain("'ok': True");
  });

  test('covers every sample of the page that is not JavaScript', () => {
    const untested = SAMPLES.filter(({ title, language }) => language !== 'python' && !covered.has(title));
    expect(untested).toEqual([]);
    expect(SAMPLES.filter(({ language }) => language === 'python')).toHaveLength(1);
  });
});
