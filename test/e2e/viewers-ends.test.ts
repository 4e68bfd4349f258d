import { execFile } from 'node:child_process';
import { EventSource } from 'eventsource';
import { afterEach, expect, test, vi } from 'vitest';
import { isTerminal, type Chunk } from '../../src/protocol/index.js';
import { launchBrowser } from '../support/browser.js';
import { tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.js';
import { chromiumPath } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';
import { HttpUser } from '../support/stream-readers.js';

vi.setConfig({ testTimeout: 90_000 });

const QUESTION = 'How do I use my own PostgreSQL?';
/** What curl says of a response that ended before its end. */
const PARTIAL_FILE = 18;
const RESET = 56;

let server: TestServer | undefined;
let postgres: OwnPostgres | undefined;

afterEach(async () => {
  await server?.stop();
  await postgres?.remove();
  server = undefined;
  postgres = undefined;
});

/** Asks a question whose answer takes a while. */
async function asked(url: string): Promise<{ user: HttpUser; streamId: string }> {
  const user = await HttpUser.of(url, 'alice');
  await user.conversation('room');
  const viewer = await user.ask('http', { conversationId: 'room', message: QUESTION });
  await viewer.until(() => viewer.lines.length > 1);
  return { user, streamId: viewer.streamId };
}

interface Curl {
  /** Resolves when a chunk was printed. */
  begun: Promise<void>;
  /** Exit code and output. */
  ended: Promise<{ code: unknown; text: string }>;
}

function curl(args: readonly string[]): Curl {
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const ended = new Promise<{ code: unknown; text: string }>((resolve) => {
    let text = '';
    const { stdout } = execFile('curl', ['-sN', ...args], (error) =>
      resolve({ code: error?.code ?? 0, text }),
    );
    stdout?.on('data', (data: string) => {
      text += data;
      if (text.includes('"sequence":1,')) begin();
    });
  });
  return { begun, ended };
}

test('A response that a deploy ends in mid-answer is cut: curl fails, and fetch rejects (P12)', async () => {
  server = await startServer({ env: { GUIDE_WORDS_PER_SECOND: '10' } });
  const { user, streamId } = await asked(server.url);
  const bearer = `Authorization: Bearer ${await tokenFor('alice')}`;
  const urls = ['sse', 'http'].map((format) => `${server?.url}/api/ws/stream/${streamId}/${format}`);
  const curls = urls.flatMap((url) => [curl(['-H', bearer, url]), curl(['--http1.0', '-H', bearer, url])]);
  const readers = await Promise.all(
    urls.map(async (url) =>
      fetch(url, { headers: { authorization: bearer.slice('Authorization: '.length) } }),
    ),
  );
  const texts = readers.map((response) =>
    response.text().then(
      () => 'complete',
      () => 'cut',
    ),
  );
  const watching = await user.attach('sse', streamId);
  await watching.until(() => watching.lines.length > 3);
  await Promise.all(curls.map(({ begun }) => begun));
  expect(await server.terminate()).toBe(0);
  expect(await Promise.all(texts)).toEqual(['cut', 'cut']);
  const ends = await Promise.all(curls.map(({ ended }) => ended));
  expect(ends.map(({ code }) => code)).toEqual([PARTIAL_FILE, RESET, PARTIAL_FILE, RESET]);
  await watching.closed();
  expect(watching.ended).toBe(false);
});

test('A response that reaches its terminal chunk ends in order, also over HTTP/1.0', async () => {
  server = await startServer();
  const { streamId } = await asked(server.url);
  const bearer = `Authorization: Bearer ${await tokenFor('alice')}`;
  for (const options of [[], ['--http1.0']]) {
    const { code, text } = await curl([
      ...options,
      '-H',
      bearer,
      `${server.url}/api/ws/stream/${streamId}/http`,
    ]).ended;
    expect(code).toBe(0);
    expect(isTerminal(JSON.parse(text.trim().split('\n').at(-1) ?? '') as Chunk)).toBe(true);
  }
});

/** A server whose database is away, an answer in it, and a ticket that reads the answer. */
async function awayWithAnswer(): Promise<{ streamId: string; url: string }> {
  postgres = await startOwnPostgres();
  server = await startServer({ databaseUrl: postgres.url, env: { LOG_LEVEL: 'silent' } });
  const { user, streamId } = await asked(server.url);
  const { body } = await user.json<{ ticket: string }>('POST', '/api/auth/ticket', { streamId });
  await postgres.kill();
  return { streamId, url: `${server.url}/api/ws/stream/${streamId}/sse?ticket=${body.ticket}` };
}

test('An EventSource that attaches while the database is away comes back by itself, and reads to the end', async () => {
  const { url } = await awayWithAnswer();
  const heard: string[] = [];
  let faults = 0;
  const source = new EventSource(url);
  source.addEventListener('error', () => (faults += 1));
  for (const type of ['metadata', 'content', 'complete']) {
    source.addEventListener(type, () => heard.push(type));
  }
  await eventually(() => faults > 0, 'a failed attach');
  expect(source.readyState).toBe(EventSource.CONNECTING);
  await postgres?.start();
  await eventually(() => heard.includes('complete'), 'the end', 60_000);
  source.close();
});

test('An attach by NDJSON while the database is away gets a problem that is retryable, and one that is final keeps its status on both', async () => {
  const { streamId } = await awayWithAnswer();
  const user = await HttpUser.of(server?.url ?? '', 'alice');
  const ndjson = await user.attach('http', streamId);
  await ndjson.closed();
  expect(JSON.parse(ndjson.text)).toMatchObject({ retryable: true });
  await expect(user.attach('sse', streamId)).rejects.toMatchObject({ code: 'ECONNRESET' });
  const refused = await fetch(`${server?.url}/api/ws/stream/${streamId}/sse`);
  expect(refused.status).toBe(401);
});

test.runIf(chromiumPath())('Chromium’s EventSource comes back too', async () => {
  const { url } = await awayWithAnswer();
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${server?.url}/api/docs/LICENSE-none`);
    // A text: in a function, EventSource would be the import of this file.
    const state = await page.evaluate<number>(`new Promise((resolve) => {
      const source = new EventSource(${JSON.stringify(url)});
      globalThis.ended = new Promise((end) => source.addEventListener('complete', () => {
        source.close();
        end('complete');
      }));
      source.addEventListener('error', () => resolve(source.readyState), { once: true });
    })`);
    expect(state).toBe(0);
    await postgres?.start();
    expect(await page.evaluate('globalThis.ended')).toBe('complete');
  } finally {
    await browser.close();
  }
});
