import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startServer, type TestServer } from '../support/server.js';
import { withClient } from '../support/with-client.js';

const WARNING = 'another server uses this database, and no relay connects them';
const SHORT_LEASE = { STREAM_LEASE_MS: '3000' };

interface Health {
  status: string;
  details: { nodes: { status: string; others: number; degraded: boolean } };
}

async function nodesOf({ url }: TestServer): Promise<Health['details']['nodes']> {
  const response = await fetch(`${url}/api/ws/health`);
  expect(response.status).toBe(200);
  return ((await response.json()) as Health).details.nodes;
}

/** When the last lease ends, in milliseconds since 1970. */
const leaseEnd = ({ databaseUrl }: TestServer): Promise<number> =>
  withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ end: Date }>('select max(lease_until) as "end" from nodes');
    return rows[0]?.end.getTime() ?? 0;
  });

test('Two servers on one database warn each other in log and health, and stay ready; one after the other do not', async () => {
  const first = await startServer({ env: SHORT_LEASE });
  expect(await nodesOf(first)).toEqual({ status: 'up', others: 0, degraded: false });
  const second = await startServer({ env: SHORT_LEASE, databaseUrl: first.databaseUrl });
  for (const server of [first, second]) {
    await eventually(() => server.output().includes(WARNING), 'the warning');
    expect(await nodesOf(server)).toEqual({ status: 'up', others: 1, degraded: true });
    expect((await fetch(`${server.url}/api/ws/health/ready`)).status).toBe(200);
  }
  // One that died holds its lease for a while, and is no other server.
  await first.kill();
  await eventually(async () => !(await nodesOf(second)).degraded, 'the end of the lease');
  const again = await first.restart();
  await eventually(() => again.output().includes(WARNING), 'the warning again');
  await second.kill();
  await again.kill();
  const alone = await again.restart();
  await eventually(
    async () => (await (await fetch(`${alone.url}/api/ws/health/ready`)).json()) !== null,
    'ready',
  );
  const end = await leaseEnd(alone);
  await eventually(async () => (await leaseEnd(alone)) > end + 2500, 'some renewals');
  expect(alone.output()).not.toContain(WARNING);
  await alone.terminate();
  await first.stop();
}, 90_000);
