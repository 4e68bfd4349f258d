import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpsServer, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type PeerCertificate, type Server } from 'node:tls';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { io } from 'socket.io-client';
import { afterEach, expect, test } from 'vitest';
import { guardListener } from '../../src/platform/http/listener-guard.js';
import { readTls, renewTls } from '../../src/platform/http/tls.js';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { tokenFor } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startServer, stopCleanly } from '../support/server.js';

const HEALTHCHECK = join(import.meta.dirname, '../../deploy/healthcheck.mjs');
const PAIRS = join(import.meta.dirname, '../support/tls');
const pair = (name: string) => ({
  TLS_CERT_FILE: join(PAIRS, `${name}.cert.pem`),
  TLS_KEY_FILE: join(PAIRS, `${name}.key.pem`),
});

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** The certificate that a new connection is shown. */
async function shown(port: number): Promise<PeerCertificate> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerCertificate();
  socket.destroy();
  return certificate;
}

test('HTTPS and WSS by the process itself: with HSTS, TLS 1.2 at least, and an address that says so', async () => {
  const server = await startServer({ env: pair('one') });
  ends.push(() => stopCleanly(server));
  expect(server.url).toMatch(/^https:/);
  const ca = await readFile(pair('one').TLS_CERT_FILE);
  const live = request(`${server.url}/api/ws/health/live`, { ca }).end();
  const [response] = (await once(live, 'response')) as [
    { statusCode: number; headers: Record<string, string>; resume(): void },
  ];
  response.resume();
  expect(response.statusCode).toBe(200);
  expect(response.headers['strict-transport-security']).toMatch(/^max-age=\d{7,}$/);

  const headers = { Connection: 'Upgrade', Upgrade: 'h2c' };
  const asking = request(`${server.url}/api/ws/health/live`, { ca, headers }).end();
  const [plain] = (await once(asking, 'response')) as [typeof response];
  plain.resume();
  expect(plain.statusCode).toBe(200);

  const options = { ca: ca.toString(), transports: ['websocket'], forceNew: true, path: SOCKET_PATH };
  const socket = io(server.url, { ...options, auth: { token: await tokenFor('alice') } });
  ends.push(() => socket.disconnect());
  await new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(undefined)).once('connect_error', reject);
  });

  const port = Number(new URL(server.url).port);
  const old = connect({
    ...{ port, host: '127.0.0.1', rejectUnauthorized: false },
    ...{ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
  });
  await expect(once(old, 'secureConnect')).rejects.toThrow(/protocol/);

  // The image's own check meets a certificate for another name.
  const env = { PATH: process.env['PATH'], PORT: String(port), ...pair('one') };
  await promisify(execFile)(process.execPath, [HEALTHCHECK], { env });
  await expect(
    promisify(execFile)(process.execPath, [HEALTHCHECK], { env: { ...env, TLS_CERT_FILE: '' } }),
  ).rejects.toMatchObject({ code: 1 });
});

test.each([
  ['nothing', ''],
  ['half a record', '\u0016\u0003\u0001'],
  ['no TLS at all', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
])('A TLS handshake that does not come, or is none, is cut (P7): %s', async (_what, bytes) => {
  const tls = await readTls(pair('one'));
  const server = createHttpsServer({ ...tls, handshakeTimeout: 100 });
  guardListener(server);
  server.listen(0, '127.0.0.1');
  ends.push(() => server.close());
  await once(server, 'listening');
  const socket = connectPlain((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(bytes, 'latin1');
  socket.resume().on('error', () => undefined);
  ends.push(() => socket.destroy());
  await once(socket, 'close');
  expect(tls?.handshakeTimeout).toBeLessThanOrEqual(10_000);
});

test('A renewed certificate is shown without a restart, and a half-written pair changes nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'streamgate-tls-'));
  ends.push(() => rm(folder, { recursive: true }));
  const files = { TLS_CERT_FILE: join(folder, 'cert.pem'), TLS_KEY_FILE: join(folder, 'key.pem') };
  await copyFile(pair('one').TLS_CERT_FILE, files.TLS_CERT_FILE);
  await copyFile(pair('one').TLS_KEY_FILE, files.TLS_KEY_FILE);
  const tls = await readTls(files);
  const server: Server = createServer(tls ?? {}).listen(0, '127.0.0.1');
  ends.push(() => server.close());
  await once(server, 'listening');
  renewTls(server, files, 20);
  const { port } = server.address() as AddressInfo;
  expect((await shown(port)).subject.CN).toBe('streamgate-test-one');
  await copyFile(pair('two').TLS_CERT_FILE, files.TLS_CERT_FILE);
  await expect(readTls(files)).rejects.toThrow('its own private key');
  expect((await shown(port)).subject.CN).toBe('streamgate-test-one');
  await copyFile(pair('two').TLS_KEY_FILE, files.TLS_KEY_FILE);
  await eventually(
    async () => (await shown(port)).subject.CN === 'streamgate-test-two',
    'the new certificate',
  );
});

test('A certificate that is not there, or not the key’s, is said in a sentence', async () => {
  await expect(readTls({ ...pair('one'), TLS_CERT_FILE: '/nowhere.pem' })).rejects.toThrow(
    'TLS_CERT_FILE cannot be read',
  );
  const mixed = { ...pair('one'), TLS_KEY_FILE: pair('two').TLS_KEY_FILE };
  await expect(readTls(mixed)).rejects.toThrow(
    'TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and its',
  );
});
