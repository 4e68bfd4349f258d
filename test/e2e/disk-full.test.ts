import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Ack, SendResult } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http.js';
import { scrape, sumOf } from '../support/metrics-page.js';
import { startServer } from '../support/server.js';

const CONVERSATION = 'full';
const MIB = 1024 * 1024;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}, 60_000);

/** A file system of 192 MiB; null where this process may not make one. */
async function smallDisk(): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'streamgate-disk-'));
  cleanups.push(() => rm(folder, { recursive: true }));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=192m,mode=755', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  cleanups.push(() => execFileSync('umount', [folder]));
  return folder;
}

/** Writes until there is no room; gives what makes room again. */
async function fill(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'filling');
  const file = await open(path, 'w');
  for (const size of [MIB, 4096]) {
    const piece = Buffer.alloc(size);
    while (await file.write(piece).catch(() => null));
  }
  await file.close();
  return () => rm(path);
}

test('a full disk refuses messages, which can be sent again; with room the embedded PostgreSQL goes on by itself, even where it had died (P1, P2)', async ({
  skip,
}) => {
  const disk = await smallDisk();
  if (disk === null) return skip('needs the right to mount a file system');
  const env = { RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'warn', DATA_DIR: disk };
  const server = await startServer({ databaseUrl: '', env });
  cleanups.push(() => server.stop());
  const ann = await TestClient.connect(server.url, 'ann');
  cleanups.push(() => ann.close());
  await ann.ask('conversation:join', { conversationId: CONVERSATION });
  // Nothing that PostgreSQL could make small.
  const content = randomBytes(8000).toString('hex');
  const acked: string[] = [];
  const send = async (): Promise<Ack<SendResult>> => {
    const payload = { conversationId: CONVERSATION, clientMessageId: `m${acked.length}`, content };
    const answer = await ann.raw<Ack<SendResult>>('message:send', { ...payload, respond: false });
    if (answer.ok) acked.push(payload.clientMessageId);
    return answer;
  };

  const makeRoom = await fill(disk);
  let answer = await send();
  while (answer.ok) answer = await send();
  expect(answer.error).toMatchObject({ code: 'timeout', retryable: true });
  expect(await ann.raw('ping', 1)).toMatchObject({ ok: true });
  const ready = async (): Promise<number> => (await fetch(`${server.url}/api/ws/health/ready`)).status;
  await eventually(async () => (await ready()) === 503, 'not ready while nothing can be stored');
  const route = `POST /api/conversations/${CONVERSATION}/messages` as const;
  const sent = { userId: 'ann', body: { clientMessageId: 'http', content, respond: false } };
  expect((await http(server.url, route, sent)).status).toBe(503);
  for (const line of ['an event failed with timeout', 'request failed with timeout', 'database check failed'])
    expect(server.output()).toMatch(new RegExp(`${line}[^\\[]*cause: "\\S`));
  const failed = sumOf(await scrape(server.url), 'streamgate_commit_failures_total', { log: 'messages' });
  expect(failed).toBeGreaterThan(0);
  // As it may end by itself, where there is no room for its write-ahead log; nor can it start without room.
  process.kill(parseInt(await readFile(join(disk, 'postgres/postmaster.pid'), 'utf8')), 'SIGKILL');
  await eventually(
    () => server.output().includes('failed to restart the embedded PostgreSQL'),
    'it was tried',
  );
  expect(await ann.raw('ping', 1)).toMatchObject({ ok: true });

  await makeRoom();
  await eventually(async () => (await send()).ok, 'stored once there is room');
  await eventually(async () => (await ready()) === 200, 'ready again');
  expect(ann.socket.connected).toBe(true);
  const stored: (string | undefined)[] = [];
  for (let hasMore = true; hasMore;) {
    const page = await ann.ask('message:history', { conversationId: CONVERSATION, afterSeq: stored.length });
    stored.push(...page.messages.map(({ clientMessageId }) => clientMessageId));
    hasMore = page.hasMore;
  }
  expect(stored).toEqual(acked);
}, 120_000);
