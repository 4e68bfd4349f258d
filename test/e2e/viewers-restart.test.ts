import { EventSource } from 'eventsource';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Chunk } from '../../src/protocol/index.js';
import { isTerminal } from '../../src/protocol/index.js';
import { readPage } from '../support/pages.js';
import { startServer, type TestServer } from '../support/server.js';
import { answerOf, HttpUser, type StreamResponse } from '../support/stream-readers.js';

const QUESTION = 'How do I use my own PostgreSQL?';
const ENV = { STREAM_LEASE_MS: '1000', GUIDE_WORDS_PER_SECOND: '25', STREAM_HEARTBEAT_MS: '500' };
const EXAMPLE_URL = 'http://127.0.0.1:3000';
const DEADLINE_MS = 60_000;

/** Reads a stream by an EventSource until its end, through whatever happens to the server. */
function byEventSource(url: string, streamId: string, token: string): Promise<Chunk[]> {
  return new Promise((resolve, reject) => {
    const chunks: Chunk[] = [];
    const source = new EventSource(`${url}/api/ws/stream/${streamId}/sse`, {
      fetch: (input, init) =>
        fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
    });
    const timer = setTimeout(
      () => reject(new Error(`EventSource had ${chunks.length} chunks in time`)),
      DEADLINE_MS,
    );
    const take = ({ data }: { data: unknown }): void => {
      const chunk = JSON.parse(String(data)) as Chunk;
      chunks.push(chunk);
      if (!isTerminal(chunk)) return;
      clearTimeout(timer);
      source.close();
      resolve(chunks);
    };
    for (const type of ['metadata', 'content', 'complete', 'cancelled', 'failure'])
      source.addEventListener(type, take);
  });
}

/** Reads a stream by the loop with curl that the documentation has, as it stands there. */
async function byCurl(url: string, streamId: string, token: string): Promise<Chunk[]> {
  const page = await readPage('docs/clients.md');
  const loop = /```sh\n(: > answer\.ndjson\n[^]*?)```/.exec(page)?.[1];
  if (!loop?.includes(EXAMPLE_URL))
    throw new Error(`docs/clients.md has no loop with curl that asks ${EXAMPLE_URL}.`);
  const folder = await mkdtemp(join(tmpdir(), 'streamgate-curl-'));
  try {
    await promisify(execFile)('sh', ['-c', loop.replace(EXAMPLE_URL, url)], {
      ...{ cwd: folder, timeout: DEADLINE_MS },
      env: { PATH: process.env['PATH'], STREAM_ID: streamId, TOKEN: token },
    });
    const lines = (await readFile(join(folder, 'answer.ndjson'), 'utf8')).split('\n');
    return lines.filter((line) => line.includes('"sequence"')).map((line) => JSON.parse(line) as Chunk);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function undisturbed(user: HttpUser): Promise<string> {
  const viewer = await user.ask('http', {
    conversationId: await user.conversation('calm'),
    message: QUESTION,
  });
  await viewer.closed();
  return answerOf(viewer.chunks);
}

async function begun(user: HttpUser): Promise<StreamResponse> {
  const viewer = await user.ask('sse', {
    conversationId: await user.conversation('storm'),
    message: QUESTION,
  });
  await viewer.until(() => viewer.lines.length >= 5);
  return viewer;
}

async function follows(server: TestServer, restart: () => Promise<TestServer>): Promise<TestServer> {
  const user = await HttpUser.of(server.url, 'alice');
  const viewer = await begun(user);
  const readers = [byEventSource, byCurl].map((read) => read(server.url, viewer.streamId, user.token));
  await viewer.until(() => viewer.lines.length >= 15);
  const restarted = await restart();
  await viewer.closed();
  expect(viewer.chunks.some(isTerminal)).toBe(false);
  const [bySource, byLines] = await Promise.all(readers);
  expect(byLines).toEqual(bySource);
  expect(bySource?.slice(0, viewer.lines.length)).toEqual(viewer.chunks);
  expect(bySource?.at(-1)?.type).toBe('complete');
  expect(answerOf(bySource ?? [])).toBe(await undisturbed(user));
  return restarted;
}

test.concurrent(
  'EventSource and curl -N follow an answer through kill -9 and a restart, to the text of an undisturbed run (P4, P5)',
  async () => {
    let server = await startServer({ env: ENV });
    try {
      server = await follows(server, async () => {
        await server.kill();
        return server.restart();
      });
    } finally {
      await server.stop();
    }
  },
  120_000,
);

test.concurrent(
  'a graceful end hands the answer over and cuts its viewers, without a terminal chunk; they go on after the restart (P12)',
  async () => {
    let server = await startServer({ env: ENV });
    try {
      let cut: StreamResponse | undefined;
      server = await follows(server, async () => {
        const user = await HttpUser.of(server.url, 'alice');
        const { body } = await (
          await HttpUser.of(server.url, 'root', { roles: ['admin'] })
        ).json<{
          items: { streamId: string }[];
        }>('GET', '/api/ws/stream/active');
        cut = await user.attach('http', body.items[0]?.streamId ?? '');
        await cut.until(() => (cut?.lines.length ?? 0) > 0);
        expect(await server.terminate()).toBe(0);
        return server.restart();
      });
      await cut?.closed();
      expect(cut?.ended).toBe(false);
      expect(cut?.chunks.some(isTerminal)).toBe(false);
    } finally {
      await server.stop();
    }
  },
  120_000,
);
