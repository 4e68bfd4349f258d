import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { isDataFault, toDatabaseError } from '../../src/platform/database/errors.js';
import {
  PINNED_PLANS,
  DedicatedConnection,
  type DedicatedConnectionOptions,
} from '../../src/platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../src/platform/database/dedicated-connections.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const PID = { name: 'pid', text: 'select pg_backend_pid() as pid' };
const SLEEP = { name: 'sleep', text: 'select pg_sleep($1)' };
const SETTINGS =
  'application_name enable_bitmapscan enable_seqscan idle_in_transaction_session_timeout jit lock_timeout plan_cache_mode statement_timeout synchronous_commit';
const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

let database: TestDatabase;
let admin: Client;
const opened: DedicatedConnection[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  admin = new Client({ connectionString: database.url });
  await admin.connect();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((connection) => connection.close()));
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

function open(options: Partial<DedicatedConnectionOptions> = {}): DedicatedConnection {
  const connection = new DedicatedConnection({ url: database.url, name: 'test', log: QUIET, ...options });
  opened.push(connection);
  return connection;
}

async function pidOf(connection: DedicatedConnection): Promise<number> {
  const [row] = await connection.query<{ pid: number }>(PID, []);
  return row!.pid;
}

/** Resolves when the session `pid` is running a statement that looks like `text`. */
async function untilRunning(pid: number, text: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const { rowCount } = await admin.query(
      `select from pg_stat_activity where pid = $1 and state = 'active' and query like $2`,
      [pid, text],
    );
    if (rowCount === 1) return;
  }
  throw new Error(`${pid} never ran ${text}`);
}

it.each([-3_600_000, 3_600_000])('keeps its deadlines when the clock jumps by %i ms', async (jumpMs) => {
  const connection = open({ deadlineMs: 1000 });
  const pid = await pidOf(connection);
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const [stuck, next] = [connection.query(SLEEP, [0.3]), connection.query(SLEEP, [3])];
    const late = expect(next).rejects.toMatchObject({ code: 'timeout' });
    vi.setSystemTime(Date.now() + jumpMs);
    await stuck;
    await untilRunning(pid, 'select pg_sleep%');
    const settled = await Promise.race([
      late.then(() => 'late'),
      admin.query('select pg_sleep(2)').then(() => 'not'),
    ]);
    expect(settled).toBe('late');
  } finally {
    vi.useRealTimers();
  }
});

it('sets the session as asked', async () => {
  const connection = open({ name: 'chunks', settings: { synchronous_commit: 'off', ...PINNED_PLANS } });
  const rows = await connection.query<{ name: string; setting: string }>(
    {
      name: 'settings',
      text: `select name, setting from pg_settings where name = any($1) order by name`,
    },
    [SETTINGS.split(' ')],
  );
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    application_name: 'streamgate chunks',
    idle_in_transaction_session_timeout: '5000',
    lock_timeout: '3000',
    statement_timeout: '4000',
    synchronous_commit: 'off',
    ...PINNED_PLANS,
  });
});

it('keeps one connection, prepares a statement once on it, and asks in the order of the calls', async () => {
  const connection = open();
  const pids = await Promise.all(Array.from({ length: 20 }, () => pidOf(connection)));
  expect(new Set(pids).size).toBe(1);
  const prepared = await connection.query<{ calls: string }>(
    {
      name: 'prepared',
      text: `select generic_plans + custom_plans as calls from pg_prepared_statements where name = 'pid'`,
    },
    [],
  );
  expect(prepared).toEqual([{ calls: '20' }]);
});

it('rejects the query whose connection is cut, and connects again for the next', async () => {
  const connection = open();
  const first = await pidOf(connection);
  const fault = connection.query(SLEEP, [3]).catch((error: unknown) => error);
  await untilRunning(first, '%pg_sleep(%');
  await admin.query('select pg_terminate_backend($1)', [first]);
  expect(await fault).toMatchObject({ code: '57P01' });
  expect(await pidOf(connection)).not.toBe(first);
});

it('outlives being cut while it is idle', async () => {
  let lost!: () => void;
  const cut = new Promise<void>((resolve) => (lost = resolve));
  const connection = open({ log: { ...QUIET, warn: () => lost() } });
  const first = await pidOf(connection);
  await admin.query('select pg_terminate_backend($1)', [first]);
  await cut;
  expect(await pidOf(connection)).not.toBe(first);
});

it('keeps the connection and the SQLSTATE when the statement itself fails', async () => {
  const connection = open();
  const first = await pidOf(connection);
  const fault = await connection
    .query({ name: 'bad', text: 'select $1::int' }, ['x'])
    .catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: '22P02' });
  expect(isDataFault(fault)).toBe(true);
  expect(await pidOf(connection)).toBe(first);
});

it('turns a lock that is not given in time into a retryable timeout', async () => {
  await admin.query('create table locked (id int)');
  await admin.query('begin; lock table locked');
  try {
    const connection = open();
    await connection.query({ name: 'set', text: `select set_config('lock_timeout', '50', false)` }, []);
    const fault = await connection
      .query({ name: 'read', text: 'select * from locked' }, [])
      .catch((e: unknown) => e);
    expect(fault).toMatchObject({ code: '55P03' });
    expect(isDataFault(fault)).toBe(false);
    expect(toDatabaseError(fault)).toMatchObject({ code: 'timeout', retryable: true, cause: fault });
  } finally {
    await admin.query('rollback');
  }
});

it('prepares again when a migration has changed what a statement returns', async () => {
  await admin.query('create table changing (a int)');
  const connection = open();
  const all = { name: 'all', text: 'select * from changing' };
  await connection.query(all, []);
  await admin.query('alter table changing add column b int; insert into changing values (1, 2)');
  expect(await connection.query(all, [])).toEqual([{ a: 1, b: 2 }]);
});

it('replaces a session that may only read or whose transaction is aborted, and runs the statement on the next', async () => {
  const connection = open();
  const first = await pidOf(connection);
  await admin.query('create table written (id int)');
  const write = { name: 'write', text: 'insert into written values ($1) returning pg_backend_pid() as pid' };
  await connection.query({ name: 'read', text: 'set default_transaction_read_only = on' }, []);
  const [second] = await connection.query<{ pid: number }>(write, [1]);
  expect(second?.pid).not.toBe(first);
  await connection.query({ name: 'begin', text: 'begin' }, []);
  await connection.query({ name: 'wrong', text: 'select 1 / $1::int' }, [0]).catch(() => {});
  const [third] = await connection.query<{ pid: number }>(write, [2]);
  expect(third?.pid).not.toBe(second?.pid);
  expect((await admin.query('select id from written order by 1')).rows).toEqual([{ id: 1 }, { id: 2 }]);
});

it('logs connections that the server closes all at once as one warning', async () => {
  let warned!: () => void;
  const logged = new Promise<void>((resolve) => (warned = resolve));
  const warnings: unknown[][] = [];
  const warn = (...line: unknown[]): void => {
    warnings.push(line);
    warned();
  };
  const connections = new DedicatedConnections({ url: database.url, log: { ...QUIET, warn } });
  const all = ['a', 'b', 'c'].map((name) => connections.open(name));
  const pids = await Promise.all(all.map((connection) => pidOf(connection)));
  await admin.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids]);
  await logged;
  await connections.close();
  expect(warnings).toEqual([
    [
      'lost connections to the database',
      { connections: ['a', 'b', 'c'], reason: expect.any(String) as string },
    ],
  ]);
});

it('rejects at the deadline what a network swallows, those in line too, and recovers when it is back', async () => {
  const network = await startNetwork(database.url);
  try {
    const connection = open({ url: network.url, deadlineMs: 300 });
    const first = await pidOf(connection);
    network.swallow(true);
    const began = Date.now();
    const outcomes = await Promise.allSettled([pidOf(connection), pidOf(connection), pidOf(connection)]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'timeout' } });
    }
    expect(Date.now() - began).toBeLessThan(1000);
    network.swallow(false);
    await expect.poll(() => pidOf(connection).catch(() => first)).not.toBe(first);
  } finally {
    await network.close();
  }
});

it('rejects at the deadline when connecting is swallowed', async () => {
  const network = await startNetwork(database.url);
  network.swallow(true);
  try {
    await expect(pidOf(open({ url: network.url, deadlineMs: 200 }))).rejects.toMatchObject({
      code: 'timeout',
    });
  } finally {
    await network.close();
  }
});

it('rejects when nothing listens, and connects when the server is there', async () => {
  const network = await startNetwork(database.url);
  await network.close();
  const connection = open({ url: network.url });
  const fault = await pidOf(connection).catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: 'ECONNREFUSED' });
  expect(toDatabaseError(fault)).toMatchObject({ code: 'timeout', retryable: true });
  await network.open();
  try {
    expect(await pidOf(connection)).toBeGreaterThan(0);
  } finally {
    await network.close();
  }
});

it('tries again after a refusal at connecting, however many there were and however short its deadline', async () => {
  const url = new URL(database.url);
  const name = `${url.pathname.slice(1)}_later`;
  url.pathname = `/${name}`;
  const connection = open({ url: url.href, deadlineMs: 800 });
  for (let tries = 0; tries < 6; tries++)
    await expect(pidOf(connection)).rejects.toMatchObject({ code: '3D000' });
  await admin.query(`create database ${name}`);
  try {
    expect(await pidOf(connection)).toBeGreaterThan(0);
  } finally {
    await connection.close();
    await admin.query(`drop database ${name} with (force)`);
  }
});

it('refuses with overloaded what exceeds the queries that may wait, and takes queries again later (P7)', async () => {
  const connection = open({ deadlineMs: 1000 });
  const pid = await pidOf(connection);
  const running = connection.query(SLEEP, [0.5]);
  const waiting = Array.from({ length: 9_999 }, () => pidOf(connection).catch((error: unknown) => error));
  await expect(pidOf(connection)).rejects.toMatchObject({
    ...{ code: 'overloaded', retryable: true, retryAfterMs: 1000 },
  });
  await running;
  expect(await waiting[0]).toBe(pid);
  await Promise.all(waiting);
  expect(await pidOf(connection)).toBeGreaterThan(0);
});

it('keeps the connection when queries in line expire before their turn', async () => {
  const connection = open({ deadlineMs: 1000 });
  const pid = await pidOf(connection);
  const running = connection.query(SLEEP, [0.3]);
  await untilRunning(pid, 'select pg_sleep%');
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const outcomes = Promise.allSettled([pidOf(connection), pidOf(connection)]);
    vi.advanceTimersByTime(1001);
    await running;
    const late = { status: 'rejected', reason: { code: 'timeout' } };
    expect(await outcomes).toMatchObject([late, late]);
  } finally {
    vi.useRealTimers();
  }
  expect(await pidOf(connection)).toBe(pid);
});

it('turns a refusal for lack of connections into a retryable timeout', async () => {
  const role = `streamgate_full_${process.pid}`;
  await admin.query(`create role ${role} login password 'x' connection limit 0`);
  try {
    const url = new URL(database.url);
    Object.assign(url, { username: role, password: 'x' });
    const fault = await pidOf(open({ url: url.href })).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: '53300' });
    expect(toDatabaseError(fault)).toMatchObject({ code: 'timeout', retryable: true });
  } finally {
    await admin.query(`drop role ${role}`);
  }
});

it('lets what was asked for finish before it closes, and refuses what comes later', async () => {
  const connection = open();
  const running = connection.query(SLEEP, [0.1]);
  const closed = connection.close();
  await expect(pidOf(connection)).rejects.toMatchObject({ code: 'server_draining' });
  expect(await running).toHaveLength(1);
  await closed;
});

/** A TCP relay to the server of `url` that can swallow everything. */
async function startNetwork(url: string) {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let swallowing = false;
  let port = 0;
  const server: Server = createServer((near) => {
    sockets.add(near.on('error', () => {}));
    if (swallowing) return;
    const far = connect(Number(target.port), target.hostname).on('error', () => {});
    sockets.add(far);
    near.on('data', (bytes) => swallowing || far.write(bytes)).on('close', () => far.destroy());
    far.on('data', (bytes) => swallowing || near.write(bytes)).on('close', () => near.destroy());
  });
  const openPort = async (): Promise<void> => {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    port = (server.address() as { port: number }).port;
  };
  await openPort();
  const outside = new URL(url);
  outside.host = `127.0.0.1:${port}`;
  return {
    url: outside.href,
    swallow: (value: boolean) => (swallowing = value),
    open: openPort,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server.close(), 'close');
    },
  };
}
