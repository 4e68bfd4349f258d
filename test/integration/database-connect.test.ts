import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { waitForDatabase, type WaitOptions } from '../../src/platform/database/connect.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { StartError } from '../../src/platform/database/start-error.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { urlOfDatabase, withClient } from '../support/with-client.js';

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(async () => {
  await database.drop();
});

async function refusal(options: Partial<WaitOptions>): Promise<string> {
  const error = await waitForDatabase({ url: database.url, log: QUIET, ...options }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
}

/** A port where nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await once(server.close(), 'close');
  return port;
}

it('returns at once from a server that is there', async () => {
  await waitForDatabase({ url: database.url, log: QUIET });
});

it('waits for a server that is still starting, and says so', async () => {
  const port = await closedPort();
  const url = new URL(database.url);
  const target = { host: url.hostname, port: Number(url.port || 5432) };
  url.host = `127.0.0.1:${port}`;
  const server: Server = createServer((near) => {
    const far = connect(target);
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  const lines: unknown[] = [];
  const info = (...line: unknown[]): void => {
    lines.push(line);
    server.listen(port, '127.0.0.1');
  };
  await waitForDatabase({ url: url.href, log: { ...QUIET, info } });
  const reason = expect.stringContaining('ECONNREFUSED') as string;
  expect(lines).toEqual([['waiting for PostgreSQL', expect.objectContaining({ reason })]]);
  await once(server.close(), 'close');
});

it('gives up at the deadline, without showing the password', async () => {
  const url = `postgres://alice:secret@127.0.0.1:${await closedPort()}/chat`;
  const sentence = await refusal({ url, deadlineMs: 300 });
  expect(sentence).toMatch(/alice@127\.0\.0\.1:\d+\/chat did not answer within 0\.3 s.*DATABASE_URL/);
  expect(sentence).not.toContain('secret');
});

it('gives up at the deadline on a server that accepts and says nothing', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  expect(await refusal({ url: `postgres://a:b@127.0.0.1:${port}/c`, deadlineMs: 300 })).toContain(
    'did not answer',
  );
  await once(server.close(), 'close');
});

it('refuses at once where waiting does not help: an unknown database', async () => {
  const url = new URL(database.url);
  url.pathname = '/nowhere';
  expect(await refusal({ url: url.href })).toContain('"nowhere" does not exist; correct DATABASE_URL');
});

it('refuses at once where waiting does not help: a wrong password', async () => {
  const role = `streamgate_test_${process.pid}`;
  const admin = inject('adminUrl');
  await withClient(admin, (client) => client.query(`create role ${role} nologin`));
  try {
    const url = new URL(database.url);
    url.username = role;
    url.password = 'secret';
    const sentence = await refusal({ url: url.href });
    expect(sentence).toMatch(
      /refuses the connection: .*(not permitted to log in|password authentication failed)/,
    );
    expect(sentence).not.toContain('secret');
  } finally {
    await withClient(admin, (client) => client.query(`drop role ${role}`));
  }
});

/** The URL of a server that answers each connection's first packet by `answer`. */
async function served(answer: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `postgres://ann:secret@127.0.0.1:${(server.address() as { port: number }).port}/chat`;
}

it('says how to trust a certificate that nobody known has signed', async () => {
  const read = (name: string): Promise<Buffer> => readFile(join(import.meta.dirname, '../support/tls', name));
  const pair = { cert: await read('one.cert.pem'), key: await read('one.key.pem') };
  const url = await served((socket) => {
    socket.write('S');
    new TLSSocket(socket, { isServer: true, ...pair }).on('error', () => {});
  });
  expect(await refusal({ url: `${url}?sslmode=verify-full` })).toMatch(
    /self-signed certificate; name the file .* by sslrootcert=, or do not check it, by sslmode=no-verify\.$/,
  );
});

it('says what to do where one side wants TLS and the other does not', async () => {
  const sentence = 'no pg_hba.conf entry for host "10.0.0.1", user "ann", database "chat", no encryption';
  const fields = Buffer.from(`SFATAL\0C28000\0M${sentence}\0\0`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(fields.length + 4);
  const url = await served((socket) => socket.end(Buffer.concat([Buffer.from('E'), length, fields])));
  expect(await refusal({ url })).toContain('no encryption; it may want TLS: add sslmode=verify-full');
  expect(await refusal({ url: `${database.url}?sslmode=no-verify` })).toMatch(
    /does not support SSL connections; remove sslmode and ssl from DATABASE_URL, or turn ssl on there\.$/,
  );
});

it('refuses at once where a file that the URL names is not there, and a password that is missing', async () => {
  expect(await refusal({ url: `${database.url}?sslrootcert=/none.pem` })).toMatch(
    /refuses.*ENOENT.*none\.pem/,
  );
  const url = new URL(database.url);
  url.password = '';
  expect(await refusal({ url: url.href })).toMatch(/; DATABASE_URL has no password\.$/);
});

it('takes a password of special characters, an address by name, and what other programs add to a URL', async () => {
  const [role, password] = [`streamgate_odd_${randomBytes(4).toString('hex')}`, 'p#a/s?s%w:o@r d&+é'];
  const other = await otherDatabase('');
  const admin = inject('adminUrl');
  await withClient(admin, (client) => client.query(`create role ${role} login password '${password}'`));
  onTestFinished(() => withClient(admin, async (client) => void (await client.query(`drop role ${role}`))));
  await withClient(other.href, (client) => client.query(`grant create on schema public to ${role}`));
  onTestFinished(() =>
    withClient(other.href, async (client) => void (await client.query(`drop owned by ${role}`))),
  );
  const place = `localhost:${other.port}${other.pathname}`;
  const url = `postgres://${role}:${encodeURIComponent(password)}@${place}`;
  const added =
    '?schema=public&connection_limit=5&pgbouncer=true&sslmode=disable&options=-c%20search_path%3Dpublic';
  await waitForDatabase({ url: url + added, log: QUIET });
  const source = createDataSource({ url: url + added, poolSize: 2, entities: [], migrations: [] });
  await source.initialize();
  onTestFinished(() => source.destroy());
  expect(await source.query('select current_user::text as name')).toEqual([{ name: role }]);
});

/** A URL of a new database of this server, made by `create`, and dropped at the end. */
async function otherDatabase(options: string): Promise<URL> {
  const name = `streamgate_other_${randomBytes(4).toString('hex')}`;
  const admin = inject('adminUrl');
  await withClient(admin, (client) => client.query(`create database ${name} ${options}`));
  onTestFinished(() =>
    withClient(admin, async (client) => void (await client.query(`drop database ${name} with (force)`))),
  );
  return new URL(urlOfDatabase(admin, name));
}

it.each(['LATIN1', 'SQL_ASCII'])('refuses a database in the encoding %s', async (encoding) => {
  const url = await otherDatabase(
    `encoding '${encoding}' locale_provider libc lc_collate 'C' lc_ctype 'C' template template0`,
  );
  expect(await refusal({ url: url.href })).toMatch(
    new RegExp(`in the encoding ${encoding}, and Streamgate needs UTF8: create another`),
  );
});

it('refuses a user who may not create tables, and says what to grant', async () => {
  const role = `streamgate_weak_${randomBytes(4).toString('hex')}`;
  const admin = inject('adminUrl');
  await withClient(admin, (client) => client.query(`create role ${role} login password 'weak'`));
  onTestFinished(() => withClient(admin, async (client) => void (await client.query(`drop role ${role}`))));
  const url = await otherDatabase('');
  Object.assign(url, { username: role, password: 'weak' });
  expect(await refusal({ url: url.href })).toContain(`grant create on schema "public" to "${role}"`);
});

it('refuses a search path without a schema', async () => {
  const url = await otherDatabase('');
  const name = url.pathname.slice(1);
  await withClient(url.href, (client) => client.query(`alter database ${name} set search_path = nowhere`));
  expect(await refusal({ url: url.href })).toContain('create schema');
});

it('waits for a database that can only be read, and goes on when it can be written', async () => {
  const url = await otherDatabase('');
  const set = (text: string): Promise<unknown> =>
    withClient(inject('adminUrl'), (client) =>
      client.query(`alter database ${url.pathname.slice(1)} ${text}`),
    );
  await set('set default_transaction_read_only = on');
  expect(await refusal({ url: url.href, deadlineMs: 3000 })).toMatch(
    /could not be used within 3 s \(it lets this user only read .*\): find out/,
  );
  const info = (): void => void set('reset default_transaction_read_only');
  await waitForDatabase({ url: url.href, log: { ...QUIET, info } });
});
