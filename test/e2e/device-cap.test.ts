import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestClient, type ClientOptions } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startServer, stopCleanly, type TestServer } from '../support/server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const MAX = 4;

let server: TestServer;
let proxy: TcpProxy;
const open: TestClient[] = [];

beforeAll(async () => {
  server = await startServer({ env: { MAX_CONNECTIONS_PER_USER: String(MAX), RATE_LIMIT_ENABLED: 'false' } });
  proxy = await startTcpProxy(server.url);
});

afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

afterAll(async () => {
  await proxy.close();
  await stopCleanly(server);
});

async function connect(userId: string, deviceId: string, options: ClientOptions & { url?: string } = {}) {
  const client = await TestClient.connect(options.url ?? server.url, userId, { deviceId, ...options });
  open.push(client);
  return client;
}

/** Connections whose network is gone without a sign, as those of a phone in a tunnel. */
async function halfOpen(userId: string, deviceId: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await connect(userId, deviceId, { url: proxy.url });
  proxy.freeze();
}

describe('A user at the cap of connections', () => {
  test('whose phone left them half-open comes in at once, on the phone and on another device', async () => {
    await halfOpen('ann', 'phone', MAX);
    const phone = await connect('ann', 'phone');
    const laptop = await connect('ann', 'laptop');
    for (const client of [phone, laptop]) expect(await client.raw('ping')).toMatchObject({ ok: true });
  });

  test('whose phone left them half-open keeps the device that is heard from', async () => {
    const laptop = await connect('bea', 'laptop');
    await halfOpen('bea', 'phone', MAX - 1);
    for (let n = 0; n < 3; n += 1) await connect('bea', 'phone');
    expect(await laptop.raw('ping')).toMatchObject({ ok: true });
    expect(laptop.all('connection:closing')).toEqual([]);
  });

  test('whose tabs share a device loses the quietest tab, which stays away: tabs do not replace each other in a loop', async () => {
    const tabs = [];
    for (let n = 0; n < MAX; n += 1) tabs.push(await connect('cid', 'browser', { reconnection: true }));
    expect(tabs.flatMap((tab) => tab.all('connection:closing'))).toEqual([]);
    const [first, quiet, ...others] = tabs as [TestClient, TestClient, ...TestClient[]];
    for (const tab of [first, ...others]) await tab.raw('ping');
    const gone = new Promise<string>((resolve) => quiet.socket.once('disconnect', resolve));
    const newest = await connect('cid', 'browser', { reconnection: true });
    expect(await gone).toBe('io server disconnect');
    expect(quiet.all('connection:closing')).toMatchObject([
      { code: 'too_many_connections', retryable: false },
    ]);
    expect(quiet.socket.active).toBe(false);
    for (const tab of [first, ...others, newest]) expect(await tab.raw('ping')).toMatchObject({ ok: true });
  });

  test('with as many devices is refused with a time to wait, and comes in when one has gone', async () => {
    const [first] = await Promise.all(Array.from({ length: MAX }, (_, n) => connect('dan', `device-${n}`)));
    await expect(connect('dan', 'one more')).rejects.toMatchObject({
      error: { code: 'too_many_connections', retryable: true, retryAfterMs: 5000 },
    });
    first?.close();
    await eventually(
      () =>
        connect('dan', 'one more').then(
          () => true,
          () => false,
        ),
      'a place again',
    );
  });
});
