import { afterEach, describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/index.js';
import { checkDatabase } from '../../src/operations/doctor/database.store.js';
import { TestClient } from '../support/client.js';
import { createTestDatabase } from '../support/database.js';
import { startPgBouncer } from '../support/pgbouncer.js';
import { pgbouncerPath } from '../support/requirements.js';
import { startServer, stopCleanly } from '../support/server.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}, 60_000);

/** The URL of a new database through a PgBouncer with `settings`. */
async function pooled(settings: readonly string[] = []): Promise<string> {
  const database = await createTestDatabase();
  cleanups.push(() => database.drop());
  const pooler = await startPgBouncer(database.url, settings);
  cleanups.push(() => pooler.stop());
  return pooler.url;
}

describe.skipIf(pgbouncerPath() === undefined)('a PgBouncer before PostgreSQL', { timeout: 90_000 }, () => {
  test('carries everything in session mode, with its defaults and those of the server (P1, P4)', async () => {
    const url = await pooled();
    const server = await startServer({ databaseUrl: url, env: { RATE_LIMIT_ENABLED: 'false' } });
    cleanups.push(() => stopCleanly(server));
    const ann = await TestClient.connect(server.url, 'ann');
    cleanups.push(() => Promise.resolve(ann.close()));
    await ann.ask('conversation:join', { conversationId: 'room' });
    const sends = Array.from({ length: 50 }, (_, n) =>
      ann.ask('message:send', {
        conversationId: 'room',
        clientMessageId: `m${n}`,
        content: 'x',
        respond: false,
      }),
    );
    expect((await Promise.all(sends)).map(({ message }) => message.seq)).toEqual(sends.map((_, n) => n + 1));
    const question = { conversationId: 'room', clientMessageId: 'q', content: 'How do I use PgBouncer?' };
    const { streamId } = await ann.ask('message:send', question);
    await ann.waitFor(
      'message:new',
      (message) => message.streamId === streamId && message.role === 'assistant',
    );
    expect((await fetch(`${server.url}/api/ws/health/ready`)).status).toBe(200);
    const findings = await checkDatabase({ url, poolSize: 10, migrations });
    expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
  });

  test.each([
    [[], 'warn', 'It opens only 20 connections, and each server may need 23'],
    [['default_pool_size = 23'], 'ok', 'It opens 23 connections'],
  ])('with %j: the doctor compares its pool with ours', async (settings, level, message) => {
    const url = await pooled(settings);
    const findings = await checkDatabase({ url, poolSize: 10, migrations });
    const finding = findings.find(({ check }) => check === 'pooler');
    expect(finding?.level).toBe(level);
    expect(finding?.message).toContain(message);
  });

  test.each([
    ['transaction', []],
    ['transaction', ['server_round_robin = 1']],
    ['statement', []],
  ])('in %s mode %j is refused at the start and by the doctor, with advice', async (mode, more) => {
    const url = await pooled([`pool_mode = ${mode}`, ...more]);
    const advice = `is reached through a pooler in ${mode} mode`;
    await expect(startServer({ databaseUrl: url })).rejects.toThrow(advice);
    const findings = await checkDatabase({ url, poolSize: 10, migrations });
    expect(findings).toMatchObject([{ level: 'fail', check: 'database' }]);
    expect(findings[0]?.message).toContain(advice);
    expect(findings[0]?.remedy).toContain('pool_mode = session');
  });

  test('that lacks the database is reported at once', async () => {
    const url = new URL(await pooled());
    url.pathname = '/nowhere';
    const started = Date.now();
    await expect(startServer({ databaseUrl: url.href })).rejects.toThrow(/nowhere.*correct DATABASE_URL/s);
    expect(Date.now() - started).toBeLessThan(25_000);
  });
});
