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

  describe.skipIf(!nginxPath())('behind nginx', () => {
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
