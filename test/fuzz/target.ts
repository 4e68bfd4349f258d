import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { TestClient } from '../support/client.js';
import { startLlmServer } from '../support/llm-server.js';
import { buildProgram, removePrograms } from '../support/programs.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';
import { FuzzFixture, type FixtureReport } from './fixture.js';

/** What the server holds, its garbage collected; sizes in bytes. */
interface Holdings {
  /** Class → its living objects, and kind of resource → how many keep the process alive. */
  counts: Record<string, number>;
  heapUsed: number;
  external: number;
  rss: number;
}

/** A server to be attacked, with peers, and with eyes on what it keeps. */
export interface Target {
  readonly server: TestServer;
  /** Between rounds: the peers noticed nothing, answers come, nothing unexpected is in the log. */
  check(): Promise<void>;
  /** After all of it: the peers saw everything, and the server holds what it held before. Ends it. */
  finish(): Promise<void>;
}

const MIB = 1024 * 1024;
/** Timers and the pool's connections come and go. */
const SLACK = 12;
/** Socket.IO keeps a timer of 30 s for each session of long polling that nobody asks for any more. */
const TIMER_SLACK = 1000;
const LEAVING_MS = 45_000;
const GROWTH_BYTES = 48 * MIB;

const ENV = {
  ...{
    LLM_MODEL: 'words:20:10',
    STREAM_CHUNK_DELAY_MS: '0',
    STREAM_MAX_PER_USER: '20',
    STREAM_MAX_PAUSE_MS: '1000',
  },
  ...{ HEARTBEAT_INTERVAL_MS: '2000', HEARTBEAT_TIMEOUT_MS: '10000', PRESENCE_LEAVE_GRACE_MS: '200' },
  ...{ MAX_CONNECTIONS_PER_USER: '2000', RATE_LIMIT_ENABLED: 'false' },
  // What is kept without bound ends the process.
  NODE_OPTIONS: '--max-old-space-size=400',
};

/** Starts a {@link Target}, with `env` beside its own variables. */
export async function startTarget(env: Record<string, string> = {}): Promise<Target> {
  const llm = await startLlmServer();
  const program = await buildProgram('test/fuzz/probed-server.ts');
  const server = await startServer({ program, env: { ...ENV, LLM_BASE_URL: llm.baseUrl, ...env } });
  // The first of everything stays: caches, the pool's connections.
  await (await FuzzFixture.open(server, '-before')).close();
  const before = await settled(server, ({ Viewer }) => Viewer === 0);
  const fixture = await FuzzFixture.open(server);
  const heaps: number[] = [];

  async function check(): Promise<void> {
    expect(fixture.faults).toEqual([]);
    expectQuietLog(server);
    await expectAnswers(server.url);
    heaps.push((await ask(server, 'SIGWINCH')).heapUsed);
  }

  async function finish(): Promise<void> {
    const report = await fixture.close();
    const left = await settled(
      server,
      (counts) => Object.keys(grownSince(before.counts, counts)).length === 0,
    );
    const faults = [...fixture.faults];
    const busy = await busySessions(server.databaseUrl);
    say(report, heaps, left);
    await stopCleanly(server);
    await llm.close();
    await removePrograms();
    expectQuietLog(server);
    expect({ faults, grown: grownSince(before.counts, left.counts), busy }).toEqual({
      faults: [],
      grown: {},
      busy: 0,
    });
    expect(medianOf(heaps.slice(-5)) - medianOf(heaps.slice(0, 5))).toBeLessThan(GROWTH_BYTES);
  }

  return { server, check, finish };
}

async function expectAnswers(url: string): Promise<void> {
  const visitor = await TestClient.connect(url, 'visitor');
  expect(await visitor.ask('ping', 'still there?')).toMatchObject({ echo: 'still there?' });
  visitor.close();
  const health = await fetch(`${url}/api/ws/health/ready`, { headers: { connection: 'close' } });
  expect(health.status, await health.text()).toBe(200);
}

/** What a client sent wrong is not the server's own fault. */
function expectQuietLog(server: TestServer): void {
  const faults = server
    .output()
    .split('\n')
    .filter((line) =>
      /\b(?:ERROR|FATAL)\b|unhandled|RangeError|TypeError|MaxListeners|Deprecation/i.test(line),
    );
  expect(faults.slice(0, 5)).toEqual([]);
}

/** Asks the probe within the server. */
async function ask(server: TestServer, signal: 'SIGUSR2' | 'SIGWINCH'): Promise<Holdings> {
  const reports = (): RegExpMatchArray[] => [...server.output().matchAll(/^probe (\{.*\})$/gm)];
  const { length: known } = reports();
  process.kill(server.pid, signal);
  const end = Date.now() + LEAVING_MS;
  while (reports().length === known) {
    if (Date.now() > end) throw new Error(`the probe says nothing:\n${server.output().slice(-2000)}`);
    await delay(20);
  }
  return JSON.parse(reports()[known]?.[1] ?? '') as Holdings;
}

/** What the server holds when that fits, or has not for too long. */
async function settled(server: TestServer, fits: (counts: Holdings['counts']) => boolean): Promise<Holdings> {
  const end = Date.now() + LEAVING_MS;
  for (;;) {
    const now = await ask(server, 'SIGUSR2');
    if (fits(now.counts) || Date.now() > end) return now;
    await delay(2000);
  }
}

function grownSince(before: Holdings['counts'], now: Holdings['counts']): Record<string, string> {
  const grown = Object.entries(now).filter(
    ([name, count]) => count > (before[name] ?? 0) + (name === 'Timeout' ? TIMER_SLACK : SLACK),
  );
  return Object.fromEntries(grown.map(([name, count]) => [name, `${before[name]} → ${count}`]));
}

/** Sessions of the database that are in a statement or a transaction when nobody asks for anything. */
async function busySessions(databaseUrl: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const text = `select count(*)::int as busy from pg_stat_activity where datname = current_database()
      and pid <> pg_backend_pid() and state like 'idle in transaction%'`;
    return (await client.query<{ busy: number }>(text)).rows[0]?.busy ?? 0;
  });
}

function say(
  { messages, answers, slowestMs }: FixtureReport,
  heaps: readonly number[],
  left: Holdings,
): void {
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
  console.info(
    `peers: ${messages} messages, ${answers} answers, slowest ${slowestMs} ms; ` +
      `heap ${mib(medianOf(heaps.slice(0, 5)))} → ${mib(medianOf(heaps.slice(-5)))}, at the end ${mib(left.heapUsed)}, ` +
      `resident ${mib(left.rss)}`,
  );
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
