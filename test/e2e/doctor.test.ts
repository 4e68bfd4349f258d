import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkUrl } from '../../src/operations/doctor/url.checks.js';
import { tokenFor } from '../support/client.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { nginxPath } from '../support/requirements.js';
import { startServer, type TestServer } from '../support/server.js';

const PASSED = { address: 'ok', websocket: 'ok', polling: 'ok', headers: 'ok', buffering: 'ok' };

async function look(url: string, token?: string): Promise<Record<string, string>> {
  const findings = await checkUrl(url, token);
  return Object.fromEntries(findings.map(({ check, level }) => [check, level]));
}

describe('npm run doctor -- --url', () => {
  let server: TestServer;
  const started: Nginx[] = [];

  beforeAll(async () => {
    server = await startServer({ env: { GUEST_ACCESS: 'false', GUIDE_WORDS_PER_SECOND: '40' } });
  });

  afterAll(async () => {
    for (const nginx of started) await nginx.stop();
    await server?.stop();
  });

  async function behind(...spoil: (readonly [string, string])[]): Promise<string> {
    const nginx = await startNginx(server.url, spoil);
    started.push(nginx);
    return nginx.url;
  }

  test('passes without a proxy, and leaves nothing behind', async () => {
    const token = await tokenFor('doctor');
    expect(await look(server.url, token)).toEqual(PASSED);
    const left = await fetch(`${server.url}/api/conversations`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await left.json()).toMatchObject({ items: [] });
  });

  test('asks for a token if guests are not admitted, and fails without a response', async () => {
    expect(await look(server.url)).toEqual({ address: 'warn' });
    expect(await look('http://127.0.0.1:9')).toEqual({ address: 'fail' });
  });

  describe('says what an address is', () => {
    const open: (() => unknown)[] = [];
    afterAll(() => open.forEach((close) => close()));

    async function listening(other: HttpServer | TlsServer): Promise<number> {
      other.listen(0, '127.0.0.1');
      await once(other, 'listening');
      open.push(() => other.close());
      return (other.address() as AddressInfo).port;
    }

    const answering = (status: number, body: string, headers: Record<string, string> = {}) =>
      listening(createServer((_request, response) => response.writeHead(status, headers).end(body)));

    async function said(url: string): Promise<string> {
      const findings = await checkUrl(url, 'unused');
      expect(findings.map(({ check, level }) => [check, level])).toEqual([['address', 'fail']]);
      return `${findings[0]?.message} ${findings[0]?.remedy}`;
    }

    test('whose port is refused, or whose name is not known', async () => {
      expect(await said('http://127.0.0.1:9')).toContain('browsers do not open this port');
      const port = await answering(200, '');
      open.pop()?.();
      expect(await said(`http://127.0.0.1:${port}`)).toContain('Nothing listens on this port');
      expect(await said('http://no-such-host.invalid')).toMatch(/DNS/);
    });

    test('whose certificate browsers refuse, or that speaks no TLS', async () => {
      const read = (name: string) => readFile(join(import.meta.dirname, '../support/tls', name), 'utf8');
      const pair = { cert: await read('one.cert.pem'), key: await read('one.key.pem') };
      const port = await listening(createTlsServer(pair));
      expect(await said(`https://127.0.0.1:${port}`)).toContain('certificate is self-signed');
      expect(await said(server.url.replace('http:', 'https:'))).toContain('does not speak TLS');
      expect(await said(`http://127.0.0.1:${port}`)).toContain('https://');
    });

    test('that redirects', async () => {
      const elsewhere = await answering(301, '', { location: 'https://chat.example.com/' });
      expect(await said(`http://127.0.0.1:${elsewhere}`)).toContain('--url https://chat.example.com');
      const signIn = await answering(302, '', { location: '/login' });
      expect(await said(`http://127.0.0.1:${signIn}`)).toContain('without a redirect');
    });

    test('that is a proxy without a server, one with a sign-in, or something else', async () => {
      expect(await said(`http://127.0.0.1:${await answering(502, 'Bad Gateway')}`)).toContain(
        'cannot reach Streamgate',
      );
      expect(await said(`http://127.0.0.1:${await answering(401, '')}`)).toContain(
        'refuses the request itself',
      );
      expect(await said(`http://127.0.0.1:${await answering(200, '<html>')}`)).toContain('not Streamgate');
      expect(await said(`http://127.0.0.1:${await answering(200, '{}')}`)).toContain('not Streamgate');
    });

    test('that is Streamgate, and not ready', async () => {
      const body = JSON.stringify({ status: 'error', error: { database: {} }, details: {} });
      expect(await said(`http://127.0.0.1:${await answering(503, body)}`)).toContain('database down');
    });
  });

  describe.skipIf(!nginxPath())('behind nginx', () => {
    test.each([
      ['without its port', 'proxy_set_header Host $host;', 'with Host 127.0.0.1,'],
      ['not at all', '', 'with Host streamgate,'],
    ])('finds that Host is passed on %s, which every browser is refused for', async (_how, line, seen) => {
      const url = await behind(['proxy_set_header Host $http_host;', line]);
      const findings = await checkUrl(url, await tokenFor('doctor'));
      const levels = Object.fromEntries(findings.map(({ check, level }) => [check, level]));
      expect(levels).toMatchObject({ origin: 'fail', websocket: 'fail', polling: 'fail' });
      const origin = findings.find(({ check }) => check === 'origin');
      expect(origin?.message).toContain(url);
      expect(origin?.message).toContain(seen);
      expect(origin?.message).toContain('over http');
      expect(origin?.remedy).toContain('proxy_set_header Host $http_host;');
      expect(server.output()).toContain('refused pages of an origin');
      expect(await look(url)).toMatchObject({ origin: 'fail' });
    });

    test('passes with the configuration of deploy/nginx', async () => {
      expect(await look(await behind(), await tokenFor('doctor'))).toEqual(PASSED);
    });

    test('finds that answers are buffered', async () => {
      const buffering = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_http_version 1.0;';
      const found = await look(await behind(['proxy_buffering off;', buffering]), await tokenFor('doctor'));
      expect(found).toMatchObject({ polling: 'ok', headers: 'ok', buffering: 'fail' });
    });

    test('finds that answers are compressed', async () => {
      const gzip = 'gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1; gzip_http_version 1.0;';
      const found = await look(await behind(['gzip off;', gzip]), await tokenFor('doctor'));
      expect(found).toMatchObject({ websocket: 'ok', headers: 'fail' });
    });

    test('finds that WebSocket does not come through', async () => {
      const url = await behind(['proxy_set_header Upgrade $http_upgrade;', '']);
      expect(await look(url, await tokenFor('doctor'))).toEqual({ ...PASSED, websocket: 'fail' });
    });
  });
});
